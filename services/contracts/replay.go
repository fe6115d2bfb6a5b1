package contracts

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
)

// Verify replays a consumer's contract against a provider. states brings the provider into the states that the contract names.
func Verify(t *testing.T, conn grpc.ClientConnInterface, consumer, provider string, states map[string]func(*testing.T)) {
	t.Helper()
	c, err := Load(consumer, provider)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range c.Interactions {
		VerifyOne(t, conn, c, i, states)
	}
}

// VerifyOne replays one interaction of a contract.
func VerifyOne(t *testing.T, conn grpc.ClientConnInterface, c Contract, i Interaction, states map[string]func(*testing.T)) {
	t.Helper()
	t.Run(c.Consumer+"/"+i.Name, func(t *testing.T) {
		if i.State != "" {
			prepare := states[i.State]
			if prepare == nil {
				t.Fatalf("nobody knows the state %q", i.State)
			}
			prepare(t)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		for _, problem := range Replay(ctx, conn, i) {
			t.Errorf("%s breaks what %s expects in %q: %s", c.Provider, c.Consumer, i.Name, problem)
		}
	})
}

// Replay makes one call and returns what was not as expected; each names a field where there is one.
func Replay(ctx context.Context, conn grpc.ClientConnInterface, i Interaction) []string {
	found, err := replay(ctx, conn, i)
	if err != nil {
		found = append(found, err.Error())
	}
	return found
}

func replay(ctx context.Context, conn grpc.ClientConnInterface, i Interaction) ([]string, error) {
	m, err := find(i.Method)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(metadata.NewOutgoingContext(ctx, metadata.New(i.Metadata)))
	defer cancel()
	stream, err := conn.NewStream(ctx, streamOf(m), "/"+i.Method)
	if err != nil {
		return nil, err
	}
	var found []string
	for n, move := range i.Script {
		if move.Send != nil {
			msg, err := parse(m.Input(), move.Send)
			if err != nil {
				return found, err
			}
			if err := stream.SendMsg(msg); err != nil && !errors.Is(err, io.EOF) { // EOF: it ended; how, receiving says
				return found, err
			}
			if !m.IsStreamingClient() {
				_ = stream.CloseSend() // its error comes again when receiving
			}
			continue
		}
		msg := dynamicpb.NewMessage(m.Output())
		if err := stream.RecvMsg(msg); err != nil {
			return append(found, fmt.Sprintf("move %d: it ended with %s before it was to", n, say(err))), nil
		}
		got, err := compact(msg, true)
		if err != nil {
			return found, err
		}
		misses, err := mismatches(move.Receive, got, i.Match)
		if err != nil {
			return found, err
		}
		found = append(found, misses...)
	}
	return append(found, ending(stream, m.IsStreamingServer(), dynamicpb.NewMessage(m.Output()), i)...), nil
}

// ending compares how the call ends with what the consumer expects.
func ending(stream grpc.ClientStream, streams bool, msg *dynamicpb.Message, i Interaction) []string {
	received := false
	for _, move := range i.Script {
		received = received || move.Receive != nil
	}
	if received && !streams && i.Code == code.Code_OK.String() {
		return nil
	}
	_ = stream.CloseSend()
	err := stream.RecvMsg(msg)
	if errors.Is(err, io.EOF) {
		err = nil
	} else if err == nil {
		got, _ := compact(msg, false)
		return []string{"it sent one message more: " + string(got)}
	}
	if got := say(err); got != strings.TrimSpace(i.Code+" "+i.Reason) {
		return []string{fmt.Sprintf("code: it ended with %s, want %s", got, strings.TrimSpace(i.Code+" "+i.Reason))}
	}
	return nil
}

// say is the code, and the reason where there is one.
func say(err error) string {
	return strings.TrimSpace(code.Code(status.Code(err)).String() + " " + refusal.Reason(err)) //nolint:gosec // codes are the same numbers
}
