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

// replay makes one call and returns what was not as expected.
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

// call is one call under way.
type call struct {
	stream   grpc.ClientStream
	method   protoreflect.MethodDescriptor
	rules    map[string]Matcher
	received int
	among    bool // messages that the script does not have may come
	over     bool // before it was to be
	problems []Problem
}

// move returns an error for a script that cannot be played.
func (c *call) move(m Move) error {
	if m.Send == nil {
		return c.receive(m)
	}
	msg, err := parse(c.method.Input(), m.Send)
	if err != nil {
		return fmt.Errorf("reading what is sent: %w", err)
	}
	if err := c.stream.SendMsg(msg); err != nil && !errors.Is(err, io.EOF) { // EOF: it ended; how, receiving says
		return fmt.Errorf("sending: %w", err)
	}
	if !c.method.IsStreamingClient() {
		_ = c.stream.CloseSend() // its error comes again when receiving
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

// find goes on from the message got to the one that the move is about; that none is, is a problem.
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

// next is the next message, with the fields that are not set.
func (c *call) next() (json.RawMessage, error) {
	msg := dynamicpb.NewMessage(c.method.Output())
	if err := c.stream.RecvMsg(msg); err != nil {
		return nil, err
	}
	c.received++
	return compact(msg, true)
}

// end compares how the call ends with what the consumer expects.
func (c *call) end(i Interaction) {
	if c.received > 0 && !c.method.IsStreamingServer() && i.Code == code.Code_OK.String() {
		return // with the answer of a unary call came its end
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

// say is the code, and the reason where there is one.
func say(err error) string {
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return strings.TrimSpace(code.Code(status.Code(err)).String() + " " + refusal.Reason(err)) //nolint:gosec // codes are the same numbers
}

// fieldOf is what a message has at a path of objects, such as order.id; "nothing" where it has nothing.
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
