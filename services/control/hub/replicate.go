package hub

import (
	"context"

	"google.golang.org/protobuf/proto"

	"github.com/grpc-sandbox/sandbox/services/control/telemetryv1"
)

// Own passes every event that a process has reported to this replica to send, first the stored ones, until ctx ends or send fails. Events without a
// Pod are not passed on.
func (h *Hub) Own(ctx context.Context, send func(*telemetryv1.Event) error) error {
	position, _ := h.bounds()
	for {
		events, missing, changed := h.after(position)
		position += missing
		for _, e := range events {
			position = e.GetPosition()
			if e.forwarded || e.GetPod() == "" {
				continue
			}
			if err := send(e.Event); err != nil {
				return err
			}
		}
		if len(events) > 0 {
			continue
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// OwnBreakers returns the breakers of the processes that are connected to this replica.
func (h *Hub) OwnBreakers() (own []*telemetryv1.Breaker) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for key, b := range h.breakers {
		if h.isConnected(key) {
			own = append(own, proto.CloneOf(b))
		}
	}
	return own
}

// ForwardBreakers replaces the breakers of the processes that are connected to another replica.
func (h *Hub) ForwardBreakers(replica string, all []*telemetryv1.Breaker) {
	now := map[breakerKey]bool{}
	for _, b := range all {
		now[breakerKey{b.GetNamespace(), b.GetPod(), b.GetCallee(), b.GetMethod()}] = true
		h.Breakers(Source{Namespace: b.GetNamespace(), Pod: b.GetPod()}, []*telemetryv1.Breaker{b})
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for key := range h.remote[replica] {
		if !now[key] && !h.isConnected(key) {
			delete(h.breakers, key)
		}
	}
	h.remote[replica] = now
}

// isConnected reports whether the process of a breaker is connected to this replica. h.mu is held.
func (h *Hub) isConnected(key breakerKey) bool {
	for s := range h.connections {
		if s.Namespace == key.namespace && s.Pod == key.pod {
			return true
		}
	}
	return false
}
