package contracts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
)

// replay makes the call of an interaction and returns every difference from what is expected.
func replay(ctx context.Context, conn grpc.ClientConnInterface, i Interaction) []Problem {
	m, err := find(i.Method)
	if err != nil {
		return []Problem{{What: err.Error()}}
	}
	ctx, cancel := context.WithCancel(metadata.NewOutgoingContext(ctx, metadata.New(i.Metadata)))
	defer cancel()
	stream, err := conn.NewStream(ctx, streamOf(m), "/"+i.Method)
	if err != nil {
		return []Problem{{"code", "it ended with " + say(err) + " at once"}}
	}
	c := &call{stream: stream, method: m, rules: i.Match}
	for _, move := range i.Script {
		if err := c.move(move); err != nil {
			return append(c.problems, Problem{What: err.Error()})
		}
		if c.over {
			return c.problems
		}
	}
	c.end(i)
	return c.problems
}

// call is a call in progress.
type call struct {
	stream   grpc.ClientStream
	method   protoreflect.MethodDescriptor
	rules    map[string]Matcher
	received int
	// among means that messages that are not in the script may come.
	among bool
	// over means that the call ended early.
	over     bool
	problems []Problem
}

// move does one move of the script. It returns an error if the script cannot be followed.
func (c *call) move(m Move) error {
	if m.Send == nil {
		return c.receive(m)
	}
	msg, err := parse(c.method.Input(), m.Send)
	if err != nil {
		return fmt.Errorf("reading the message to send: %w", err)
	}
	// EOF means that the call has ended; receiving returns the reason.
	if err := c.stream.SendMsg(msg); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("sending: %w", err)
	}
	if !c.method.IsStreamingClient() {
		// Receiving returns the same error.
		_ = c.stream.CloseSend()
	}
	return nil
}

func (c *call) receive(m Move) error {
	got, err := c.next()
	if m.Among != "" && err == nil {
		c.among = true
		got, err = c.find(m, got)
	}
	if err != nil {
		c.over = true
		c.problems = append(c.problems, Problem{"code", fmt.Sprintf("it ended with %s before message %d", say(err), c.received+1)})
		return nil
	}
	if c.over {
		return nil
	}
	misses, err := mismatches(m.Receive, got, c.rules)
	for _, p := range misses {
		if c.method.IsStreamingServer() {
			p.What += fmt.Sprintf(" (message %d)", c.received)
		}
		c.problems = append(c.problems, p)
	}
	return err
}

// find reads on from the message got to the one that the move describes. If there is none, it records a problem.
func (c *call) find(m Move, got json.RawMessage) (json.RawMessage, error) {
	for wanted := fieldOf(m.Receive, m.Among); ; {
		if fieldOf(got, m.Among) == wanted {
			return got, nil
		}
		var err error
		if got, err = c.next(); errors.Is(err, io.EOF) {
			c.over = true
			c.problems = append(c.problems, Problem{m.Among, fmt.Sprintf("is %s in none of %d messages", wanted, c.received)})
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// next returns the next message as JSON, including empty fields.
func (c *call) next() (json.RawMessage, error) {
	msg := dynamicpb.NewMessage(c.method.Output())
	if err := c.stream.RecvMsg(msg); err != nil {
		return nil, err
	}
	c.received++
	return compact(msg, true)
}

// end compares the end of the call with what is expected.
func (c *call) end(i Interaction) {
	if c.received > 0 && !c.method.IsStreamingServer() && i.Code == code.Code_OK.String() {
		// The answer of a unary call includes its end.
		return
	}
	_ = c.stream.CloseSend()
	got, err := c.next()
	for err == nil && c.among {
		got, err = c.next()
	}
	if err == nil {
		c.problems = append(c.problems, Problem{"code", "it sent one message more: " + string(got)})
		return
	}
	if got, want := say(err), strings.TrimSpace(i.Code+" "+i.Reason); got != want {
		c.problems = append(c.problems, Problem{"code", fmt.Sprintf("it ended with %s, want %s", got, want)})
	}
}

// say returns the code of an error and its reason, if there is one.
func say(err error) string {
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return strings.TrimSpace(code.Code(status.Code(err)).String() + " " + refusal.Reason(err)) //nolint:gosec // both types use the same numbers
}

// fieldOf returns the value at a path of objects, such as order.id, and "nothing" if there is none.
func fieldOf(message json.RawMessage, path string) string {
	var value any
	if json.Unmarshal(message, &value) != nil {
		return "nothing"
	}
	for key := range strings.SplitSeq(path, ".") {
		object, _ := value.(map[string]any)
		value = object[key]
	}
	if value == nil {
		return "nothing"
	}
	return fmt.Sprint(value)
}
