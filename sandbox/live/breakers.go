package live

import (
	"context"
	"fmt"
	"time"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
	"github.com/grpc-sandbox/sandbox/scenarios"
	"github.com/grpc-sandbox/sandbox/services/loadgen/loadgenv1"
)

// breakers implements scenarios.Breakers with the circuit breakers inside the load generator.
type breakers struct{ rpc loadgenv1.LoadGeneratorClient }

func (b breakers) Breakers(ctx context.Context) ([]telemetry.Breaker, error) {
	ctx, cancel := context.WithTimeout(ctx, rpcLimit)
	defer cancel()
	answer, err := b.rpc.Breakers(ctx, &loadgenv1.BreakersRequest{})
	if err != nil {
		return nil, fmt.Errorf("reading breakers: %w", err)
	}
	var all []telemetry.Breaker
	for _, x := range answer.GetBreakers() {
		all = append(all, telemetry.Breaker{
			Caller: x.GetCaller(), Callee: x.GetCallee(), Method: x.GetMethod(), State: telemetry.BreakerState(x.GetState()),
			Since: x.GetSince().AsTime(), Reason: x.GetReason(),
		})
	}
	return all, nil
}

// Events streams breaker changes until ctx ends. With after = 0 it starts with the first change that is not older than since.
func (b breakers) Events(ctx context.Context, since time.Time, after uint64) (<-chan scenarios.BreakerChange, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	// The limit is for the subscription, not for the stream.
	late := time.AfterFunc(rpcLimit, func() { cancel(context.DeadlineExceeded) })
	stream, err := b.rpc.WatchEvents(ctx, &loadgenv1.WatchEventsRequest{AfterSeq: after})
	if !late.Stop() && err == nil {
		err = context.DeadlineExceeded
	}
	if err != nil {
		cancel(err)
		return nil, fmt.Errorf("watching breakers: %w", err)
	}
	changes := make(chan scenarios.BreakerChange)
	go func() {
		defer close(changes)
		// While history is true, changes that are older than since are skipped.
		history := after == 0
		var lost *loadgenv1.Event
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
					continue
				}
				history = false
			}
			for _, one := range []*loadgenv1.Event{lost, e} {
				if k := one.GetKind(); k != kindBreaker && k != kindMissed {
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

// The kinds of events that concern breakers.
const (
	kindBreaker = "breaker"
	kindMissed  = "missed" // events were lost, possibly breaker changes
)

func change(e *loadgenv1.Event) scenarios.BreakerChange {
	if e.GetKind() == kindMissed {
		return scenarios.BreakerChange{Seq: e.GetSeq(), Boot: e.GetBootId(), Missed: true}
	}
	l := e.GetLabels()
	return scenarios.BreakerChange{
		Seq: e.GetSeq(), Boot: e.GetBootId(), At: e.GetTime().AsTime(), From: l["caller"], To: l["callee"], Method: l["method"],
		Old: telemetry.BreakerState(l["from"]), New: telemetry.BreakerState(l["to"]), Reason: l["reason"],
	}
}
