package live

import (
	"context"
	"fmt"
	"sync"
	"time"

	"google.golang.org/grpc"

	"github.com/grpc-sandbox/sandbox/charts"
	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
	"github.com/grpc-sandbox/sandbox/scenarios"
	"github.com/grpc-sandbox/sandbox/services/control/telemetryv1"
)

// breakers implements scenarios.Breakers with the circuit breakers of every process, which the control plane knows.
type breakers struct {
	client func(ctx context.Context) (telemetryv1.EventsClient, error)

	mu sync.Mutex
	// run is the run of the control plane that gave the last position.
	run string
	// last is the number of the last event of each process, so that events which a restarted control plane receives again are not counted twice.
	last map[processRun]uint64
}

type processRun struct{ pod, boot string }

func newBreakers(client func(ctx context.Context) (telemetryv1.EventsClient, error)) *breakers {
	return &breakers{client: client, last: map[processRun]uint64{}}
}

// Breakers lists the breakers of the shop.
func (b *breakers) Breakers(ctx context.Context) ([]telemetry.Breaker, error) {
	ctx, cancel := context.WithTimeout(ctx, rpcLimit)
	defer cancel()
	client, err := b.client(ctx)
	if err != nil {
		return nil, err
	}
	answer, err := client.Breakers(ctx, &telemetryv1.BreakersRequest{})
	if err != nil {
		return nil, fmt.Errorf("reading breakers: %w", err)
	}
	var all []telemetry.Breaker
	for _, x := range answer.GetBreakers() {
		if x.GetNamespace() != charts.ShopNamespace {
			continue
		}
		all = append(all, telemetry.Breaker{
			Caller: x.GetCaller(), Callee: x.GetCallee(), Method: x.GetMethod(), Pod: x.GetPod(), State: telemetry.BreakerState(x.GetState()),
			Since: x.GetSince().AsTime(), Reason: x.GetReason(),
		})
	}
	return all, nil
}

// Events streams breaker changes until ctx ends. With after = 0 it starts with the first change that is not older than since.
func (b *breakers) Events(ctx context.Context, since time.Time, after uint64) (<-chan scenarios.BreakerChange, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	stream, err := b.watch(ctx, cancel, after)
	if err != nil {
		cancel(err)
		return nil, fmt.Errorf("watching breakers: %w", err)
	}
	changes := make(chan scenarios.BreakerChange)
	go func() {
		defer close(changes)
		defer cancel(nil)
		// While history is true, changes that are older than since are skipped.
		history := after == 0
		var lost *telemetryv1.Event
		for {
			e, err := stream.Recv()
			if err != nil {
				return
			}
			if history {
				if e.GetKind() == kindMissed {
					lost = e
					continue
				}
				if e.GetTime().AsTime().Before(since) {
					lost = nil
					b.known(e)
					continue
				}
				history = false
			}
			for _, one := range []*telemetryv1.Event{lost, e} {
				if one == nil || b.known(one) || !concerns(one) {
					continue
				}
				select {
				case changes <- change(one):
				case <-ctx.Done():
					return
				}
			}
			lost = nil
		}
	}()
	return changes, nil
}

// watch subscribes. Events reach the stream from when it returns, because the control plane sends the header then.
func (b *breakers) watch(ctx context.Context, cancel context.CancelCauseFunc, after uint64) (grpc.ServerStreamingClient[telemetryv1.Event], error) {
	// The limit is for the subscription, not for the stream.
	late := time.AfterFunc(rpcLimit, func() { cancel(context.DeadlineExceeded) })
	defer late.Stop()
	client, err := b.client(ctx)
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	run := b.run
	b.mu.Unlock()
	// Without a position, the events of the last moments are among the stored ones.
	stream, err := client.Watch(ctx, &telemetryv1.WatchRequest{After: after, Run: run, FromOldest: after == 0, Kinds: []string{kindBreaker}})
	if err != nil {
		return nil, err
	}
	if _, err := stream.Header(); err != nil {
		return nil, err
	}
	return stream, nil
}

// The kinds of events that concern breakers. A missed event stands for events that were lost, possibly changes of breakers.
const (
	kindBreaker = "breaker"
	kindMissed  = "missed"
)

// known reports whether an event of a process was received before, and notes it.
func (b *breakers) known(e *telemetryv1.Event) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.run = e.GetRun()
	key := processRun{e.GetPod(), e.GetBoot()}
	if e.GetPod() == "" {
		return false
	}
	if e.GetSeq() <= b.last[key] {
		return true
	}
	b.last[key] = e.GetSeq()
	return false
}

// concerns reports whether an event is about breakers of the shop. Events without a process are those of the control plane itself.
func concerns(e *telemetryv1.Event) bool {
	return (e.GetKind() == kindBreaker || e.GetKind() == kindMissed) && (e.GetPod() == "" || e.GetNamespace() == charts.ShopNamespace)
}

func change(e *telemetryv1.Event) scenarios.BreakerChange {
	c := scenarios.BreakerChange{Seq: e.GetPosition(), Boot: e.GetRun(), Missed: e.GetKind() == kindMissed}
	if c.Missed {
		return c
	}
	l := e.GetLabels()
	c.At, c.From, c.To, c.Method, c.Pod = e.GetTime().AsTime(), l["caller"], l["callee"], l["method"], e.GetPod()
	c.Old, c.New, c.Reason = telemetry.BreakerState(l["from"]), telemetry.BreakerState(l["to"]), l["reason"]
	return c
}
