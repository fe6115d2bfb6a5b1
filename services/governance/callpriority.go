package governance

import (
	"context"

	"google.golang.org/grpc/metadata"

	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// PriorityHeader has the priority that a caller has chosen for a call: low, normal, high or critical.
const PriorityHeader = "x-priority"

// priorityKey is the key of the priority of the calls that are made with a context.
type priorityKey struct{}

// WithPriority returns a context for calls of a priority. A callee whose policy has callerPriority for the method sheds them by it, up to the highest
// priority that the policy permits, and passes it on to the calls that it makes for them. Other callees ignore it.
func WithPriority(ctx context.Context, p policyv1.Priority) context.Context {
	return context.WithValue(ctx, priorityKey{}, p)
}

// CallPriority returns the priority of the calls that are made with a context: in a handler, that of the call that it serves, if the policy has
// callerPriority for the method. Otherwise it is unspecified.
func CallPriority(ctx context.Context) policyv1.Priority {
	p, _ := ctx.Value(priorityKey{}).(policyv1.Priority)
	return p
}

// choosePriority sets the priority of a call to the one that its caller has chosen, up to what the rule permits, and passes it on to the calls of
// the handler.
func (c *serverCall) choosePriority() {
	if c.rule.MaxPriority == policyv1.Priority_PRIORITY_UNSPECIFIED {
		return
	}
	if all := metadata.ValueFromIncomingContext(c.ctx, PriorityHeader); len(all) > 0 {
		// A caller that appended to metadata which it forwarded has put its own last.
		if chosen := priorityNamed(all[len(all)-1]); chosen != policyv1.Priority_PRIORITY_UNSPECIFIED {
			c.priority = min(chosen, c.rule.MaxPriority)
		}
	}
	c.ctx = WithPriority(c.ctx, c.priority)
}

// sendPriority adds the priority of a context to the metadata of an outgoing call. It replaces the one that a handler has copied from its call.
func sendPriority(ctx context.Context) context.Context {
	p := CallPriority(ctx)
	if p == policyv1.Priority_PRIORITY_UNSPECIFIED {
		return ctx
	}
	if len(metadata.ValueFromOutgoingContext(ctx, PriorityHeader)) == 0 {
		return metadata.AppendToOutgoingContext(ctx, PriorityHeader, priorityName(p))
	}
	md, _ := metadata.FromOutgoingContext(ctx)
	md.Set(PriorityHeader, priorityName(p))
	return metadata.NewOutgoingContext(ctx, md)
}

func priorityName(p policyv1.Priority) string {
	switch p {
	case policyv1.Priority_PRIORITY_LOW:
		return "low"
	case policyv1.Priority_PRIORITY_HIGH:
		return "high"
	case policyv1.Priority_PRIORITY_CRITICAL:
		return "critical"
	default:
		return "normal"
	}
}

// priorityNamed returns the priority of a name, and unspecified for any other text.
func priorityNamed(name string) policyv1.Priority {
	for _, p := range []policyv1.Priority{policyv1.Priority_PRIORITY_LOW, policyv1.Priority_PRIORITY_NORMAL,
		policyv1.Priority_PRIORITY_HIGH, policyv1.Priority_PRIORITY_CRITICAL} {
		if name == priorityName(p) {
			return p
		}
	}
	return policyv1.Priority_PRIORITY_UNSPECIFIED
}
