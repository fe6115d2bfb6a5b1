// Package verify checks running services against the contracts of their consumers and against the protos of the source tree.
//
// A run replays interactions, which leaves things at the providers, such as reserved stock. The [Verifier] removes them at its end. The [Journal]
// records runs in progress, so that the next run can remove what a killed one left.
package verify

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/services/contracts"
)

// cleanupLimit is the deadline for removing what a run left, also after an interruption.
const cleanupLimit = 30 * time.Second

// Dial connects to a provider with the certificate of a consumer.
type Dial func(ctx context.Context, consumer, provider string) (grpc.ClientConnInterface, error)

// Provider is a release and the gRPC services that the source tree says it serves.
type Provider struct {
	// Name is the name of the release.
	Name     string
	Services []protoreflect.ServiceDescriptor
}

// Selection is what to verify: contracts, and the providers whose descriptors to compare.
type Selection struct {
	Contracts []contracts.Contract
	Providers []Provider
}

// Verifier replays contracts and compares descriptors. It must not be used by several goroutines.
type Verifier struct {
	account  string
	dial     Dial
	replayer contracts.Replayer
	// replayed are the contracts at whose providers something may be left.
	replayed []contracts.Contract
}

// New returns a verifier that connects at most once to each provider for each consumer. run is a part of every value that it creates, so it must
// differ between runs. account is the consumer for calls that belong to no contract.
func New(run, account string, dial Dial) *Verifier {
	type pair struct{ consumer, provider string }
	open := map[pair]grpc.ClientConnInterface{}
	v := &Verifier{account: account, dial: func(ctx context.Context, consumer, provider string) (grpc.ClientConnInterface, error) {
		p := pair{consumer, provider}
		if open[p] == nil {
			conn, err := dial(ctx, consumer, provider)
			if err != nil {
				return nil, err
			}
			open[p] = conn
		}
		return open[p], nil
	}}
	v.replayer = contracts.Replayer{Run: run, ConfirmedOrder: func(ctx context.Context) (string, error) {
		conn, err := v.dial(ctx, account, "orderservice")
		if err != nil {
			return "", err
		}
		return contracts.NewOrder(conn)(ctx)
	}}
	return v
}

// Run returns the name of the run.
func (v *Verifier) Run() string { return v.replayer.Run }

// Verify compares the descriptors of the providers and replays the contracts. It returns an error when there can be no verdict: a provider cannot be
// reached, or ctx ended.
func (v *Verifier) Verify(ctx context.Context, s Selection) (*Document, error) {
	doc := &Document{Interactions: []Interaction{}, Descriptors: []Descriptors{}}
	// The descriptors come first, because reading them shows whether a provider can be reached.
	for _, p := range s.Providers {
		if err := v.compare(ctx, doc, p); err != nil {
			return nil, err
		}
	}
	for _, c := range s.Contracts {
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
	doc.Result = pass
	if len(doc.breaches) > 0 {
		doc.Result = fail
	}
	return doc, nil
}

func (v *Verifier) compare(ctx context.Context, doc *Document, p Provider) error {
	conn, err := v.dial(ctx, v.account, p.Name)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, cleanupLimit)
	defer cancel()
	deployed, err := contracts.Ask(ctx, conn)
	switch status.Code(err) {
	case codes.OK:
	case codes.Unavailable, codes.DeadlineExceeded, codes.Canceled:
		return remedy.Errorf(remedy.Command("status"), "asking %s what it serves: %s", p.Name, status.Convert(err).Message())
	default:
		doc.addDescriptors(p.Name, []contracts.Problem{{What: fmt.Sprintf("asked for its descriptors, it answers %v", err)}}, nil)
		return nil
	}
	problems, more, err := deployed.Compare(p.Services...)
	if err != nil {
		problems = append(problems, contracts.Problem{What: err.Error()})
	}
	doc.addDescriptors(p.Name, problems, more)
	return nil
}

// CleanUp removes what this run left at the providers, also when ctx has ended.
func (v *Verifier) CleanUp(ctx context.Context) error {
	return v.CleanUpRun(context.WithoutCancel(ctx), v.replayed, v.replayer.Run)
}

// CleanUpRun removes what a run left at the providers of contracts.
func (v *Verifier) CleanUpRun(ctx context.Context, all []contracts.Contract, run string) error {
	ctx, cancel := context.WithTimeout(ctx, cleanupLimit)
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
