package governance

import (
	"slices"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// retry returns what says when the call is repeated; nil means never. A stream is repeated by grpc-go, whose service config has one retry for all calls
// of a method, and only methods of the protos that are linked into the program.
func (c *clientCall) retry() *policyv1.Retry {
	if c.stream {
		return c.streamRetry
	}
	return c.rule.Retry
}

// setStreamRetry sets the retry of streams, which is that of the rules without percent, and reports a share that says something else.
func (m *clientMethod) setStreamRetry(c *client, r *clientRuled) {
	if _, linked := slices.BinarySearch(linkedMethods().streams, m.method); !linked {
		return
	}
	retry, same := r.rule.Retry, true
	r.streamRetry = retry
	for _, share := range r.shares {
		share.streamRetry = retry
		same = same && proto.Equal(share.rule.Retry, retry)
	}
	if !same && m.reported.Swap(r.rules) != r.rules {
		m.reportStreamRetry(c)
	}
}

func (m *clientMethod) reportStreamRetry(c *client) {
	c.log.Warn("the retry of a rule with percent does not apply to streams; they follow the rules without percent", "method", m.method)
	if c.cfg.Events != nil {
		c.cfg.Events.Add(Event{Kind: KindPolicy, Subject: m.callee + "/" + m.method,
			Detail: "the retry of a rule with percent does not apply to streams; they follow the rules without percent",
			Labels: map[string]string{"result": "approximated", "callee": m.callee, "method": m.method, "version": c.cfg.Policy.Version()}})
	}
}

// withoutRetry returns the options of a stream that grpc-go must not repeat, because the call that opens it is itself a repeated one. There is no option for
// that: without room for a message, grpc-go repeats a stream only until the first one is sent.
func (c *clientCall) withoutRetry(opts []grpc.CallOption) []grpc.CallOption {
	if c.streamRetry == nil || !isRepeated(c.ctx) {
		return opts
	}
	return append(slices.Clip(opts), grpc.MaxRetryRPCBufferSize(0))
}
