package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox/live"
	"github.com/grpc-sandbox/sandbox/services/contracts"
)

// undoingLimit is for taking back what a run has left, after an interruption too.
const undoingLimit = 30 * time.Second

// dialAs connects to a provider with the certificate of a consumer.
type dialAs func(ctx context.Context, consumer, provider string) (grpc.ClientConnInterface, error)

// verifier holds what runs against contracts and against the tree.
type verifier struct {
	dial     dialAs
	replayer contracts.Replayer
	replayed []contracts.Contract       // at whose providers something may be left
	command  func(args []string) string // renders a command for the sandbox that is verified; nil for the default one
}

// newVerifier connects once to each provider for each consumer.
func newVerifier(run string, dial dialAs) *verifier {
	type way struct{ consumer, provider string }
	open := map[way]grpc.ClientConnInterface{}
	v := &verifier{dial: func(ctx context.Context, consumer, provider string) (grpc.ClientConnInterface, error) {
		w := way{consumer, provider}
		if open[w] == nil {
			conn, err := dial(ctx, consumer, provider)
			if err != nil {
				return nil, err
			}
			open[w] = conn
		}
		return open[w], nil
	}}
	v.replayer = contracts.Replayer{Run: run, ConfirmedOrder: func(ctx context.Context) (string, error) {
		conn, err := v.dial(ctx, live.Account, "orderservice")
		if err != nil {
			return "", err
		}
		return contracts.NewOrder(conn)(ctx)
	}}
	return v
}

// verify returns an error when it cannot judge: a provider is not reached, or it was interrupted.
func (v *verifier) verify(ctx context.Context, chosen selection) (*verifyDocument, error) {
	doc := &verifyDocument{Interactions: []interactionResult{}, Descriptors: []descriptorResult{}}
	for _, p := range chosen.providers { // first, because that finds out whether it is reached
		if err := v.compare(ctx, doc, p); err != nil {
			return nil, err
		}
	}
	for _, c := range chosen.contracts {
		conn, err := v.dial(ctx, c.Consumer, c.Provider)
		if err != nil {
			return nil, err
		}
		v.replayed = append(v.replayed, c)
		for _, i := range c.Interactions {
			result := v.replayer.Replay(ctx, conn, c, i)
			if ctx.Err() != nil {
				return nil, fmt.Errorf("replaying contracts: %w", ctx.Err())
			}
			doc.addInteraction(result)
		}
	}
	doc.Result = "pass"
	if len(doc.breaches) > 0 {
		doc.Result = "fail"
	}
	return doc, nil
}

func (v *verifier) compare(ctx context.Context, doc *verifyDocument, p served) error {
	conn, err := v.dial(ctx, live.Account, p.release)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, undoingLimit)
	defer cancel()
	deployed, err := contracts.Ask(ctx, conn)
	switch status.Code(err) {
	case codes.OK:
	case codes.Unavailable, codes.DeadlineExceeded, codes.Canceled:
		return remedy.Errorf(remedy.Command("status"), "asking %s what it serves: %s", p.release, status.Convert(err).Message())
	default:
		doc.addDescriptors(p.release, []contracts.Problem{{What: fmt.Sprintf("asked for its descriptors, it answers %v", err)}}, nil)
		return nil
	}
	problems, more, err := deployed.Compare(p.services...)
	if err != nil {
		problems = append(problems, contracts.Problem{What: err.Error()})
	}
	doc.addDescriptors(p.release, problems, more)
	return nil
}

// takeBackOwn ends what this run has left, even after an interruption.
func (v *verifier) takeBackOwn(ctx context.Context) error {
	return v.takeBack(context.WithoutCancel(ctx), v.replayed, v.replayer.Run)
}

// takeBack ends what a run has left at the providers of contracts.
func (v *verifier) takeBack(ctx context.Context, all []contracts.Contract, run string) error {
	ctx, cancel := context.WithTimeout(ctx, undoingLimit)
	defer cancel()
	var failed []error
	done := map[string]bool{}
	for _, c := range all {
		if done[c.Provider] || !contracts.NeedsCleanup(c.Provider) {
			continue
		}
		done[c.Provider] = true
		conn, err := v.dial(ctx, c.Consumer, c.Provider)
		if err == nil {
			_, err = contracts.Cleanup(ctx, conn, c.Provider, run)
		}
		failed = append(failed, err)
	}
	return errors.Join(failed...)
}

// takeBackKilled ends what runs have left whose process was killed. What cannot be taken back now stays noted.
func (v *verifier) takeBackKilled(ctx context.Context, stderr io.Writer, notes runNotes, all []contracts.Contract) error {
	return notes.killed(func(run string) bool {
		err := v.takeBack(ctx, all, run)
		if err != nil {
			fmt.Fprintln(stderr, "sandbox: taking back what an earlier verify left:", err)
			for _, r := range remedy.Of(err) {
				fmt.Fprintln(stderr, strings.Join(r.Lines(v.command), "\n"))
			}
		} else {
			fmt.Fprintln(stderr, "took back what an earlier verify left when it was killed")
		}
		return err == nil
	})
}
