package hub

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/grpc-sandbox/sandbox/services/control/telemetryv1"
)

// KindBreaker is the kind of events about circuit breakers. Their labels are caller, callee, method, from, to and reason.
const KindBreaker = "breaker"

type breakerKey struct{ namespace, pod, callee, method string }

// maxBreakers bounds the breakers of all processes together.
const maxBreakers = 65536

// Breakers adds the breakers of a process. What an event has said later about one of them is kept.
func (h *Hub) Breakers(s Source, all []*telemetryv1.Breaker) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, b := range all {
		h.set(s, &telemetryv1.Breaker{Callee: short(b.GetCallee()), Caller: short(b.GetCaller()), Method: short(b.GetMethod()), State: short(b.GetState()),
			Since: b.GetSince(), Reason: short(b.GetReason())})
	}
}

// follow notes the change that an event reports. The breakers of the processes of another replica come with ForwardBreakers: its events also report those
// of processes that have ended. h.mu is held.
func (h *Hub) follow(s Source, e *telemetryv1.Event, forwarded bool) {
	l := e.GetLabels()
	_, known := h.breakers[breakerKey{s.Namespace, s.Pod, l["callee"], l["method"]}]
	if e.GetKind() == KindBreaker && l["callee"] != "" && (known || !forwarded) {
		h.set(s, &telemetryv1.Breaker{Caller: l["caller"], Callee: l["callee"], Method: l["method"], State: l["to"], Since: e.GetTime(), Reason: l["reason"]})
	}
}

func (h *Hub) set(s Source, b *telemetryv1.Breaker) {
	key := breakerKey{s.Namespace, s.Pod, b.GetCallee(), b.GetMethod()}
	b.Namespace, b.Pod = s.Namespace, s.Pod
	old, known := h.breakers[key]
	if known && b.GetSince().AsTime().Before(old.GetSince().AsTime()) || !known && len(h.breakers) >= maxBreakers {
		return
	}
	h.breakers[key] = b
}

// Joined notes a connection of a process. Left must be called at its end.
func (h *Hub) Joined(s Source) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.connections[s]++
}

// Left notes the end of a connection, and forgets the breakers of a process that has no other one.
func (h *Hub) Left(s Source) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.connections[s]--; h.connections[s] > 0 {
		return
	}
	delete(h.connections, s)
	for key := range h.breakers {
		if key.namespace == s.Namespace && key.pod == s.Pod {
			delete(h.breakers, key)
		}
	}
}

// Breakers returns the breakers of all connected processes, sorted by namespace, caller, pod, callee and method.
func (w Watcher) Breakers(context.Context, *telemetryv1.BreakersRequest) (*telemetryv1.BreakersResponse, error) {
	out := &telemetryv1.BreakersResponse{}
	w.Hub.mu.Lock()
	for _, b := range w.Hub.breakers {
		out.Breakers = append(out.Breakers, proto.CloneOf(b))
	}
	w.Hub.mu.Unlock()
	slices.SortFunc(out.Breakers, func(a, b *telemetryv1.Breaker) int {
		return cmp.Or(strings.Compare(a.GetNamespace(), b.GetNamespace()), strings.Compare(a.GetCaller(), b.GetCaller()), strings.Compare(a.GetPod(), b.GetPod()),
			strings.Compare(a.GetCallee(), b.GetCallee()), strings.Compare(a.GetMethod(), b.GetMethod()))
	})
	return out, nil
}
