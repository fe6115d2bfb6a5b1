package main

import (
	"context"
	"errors"
	"fmt"
	"path"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
	"github.com/grpc-sandbox/sandbox/scenarios"
	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
	"github.com/grpc-sandbox/sandbox/services/loadgen/loadgenv1"
)

const (
	// rpcLimit is the deadline of a request to the load generator.
	rpcLimit = 10 * time.Second
	// stopRPCLimit is that of StopLoad, which waits for the calls in flight, though for less than this.
	stopRPCLimit = 15 * time.Second
)

// loads drives the load generator for a scenario.
type loads struct{ rpc loadgenv1.LoadGeneratorClient }

func (l loads) Start(ctx context.Context, s scenarios.LoadSpec) error {
	ctx, cancel := context.WithTimeout(ctx, rpcLimit)
	defer cancel()
	_, err := l.rpc.StartLoad(ctx, &loadgenv1.StartLoadRequest{
		Name: s.Name, Target: s.Call.Service, Method: s.Call.Method, RequestJson: s.Call.Request, Rate: float64(s.Rate), Seed: int64(s.Seed),
	})
	return loadError("starting", s.Name, err)
}

func (l loads) SetRate(ctx context.Context, name string, rate scenarios.Rate) error {
	ctx, cancel := context.WithTimeout(ctx, rpcLimit)
	defer cancel()
	_, err := l.rpc.SetRate(ctx, &loadgenv1.SetRateRequest{Name: name, Rate: float64(rate)})
	return loadError("changing", name, err)
}

func (l loads) Read(ctx context.Context, name string) (scenarios.LoadReading, error) {
	ctx, cancel := context.WithTimeout(ctx, rpcLimit)
	defer cancel()
	asked := time.Now()
	stats, err := l.rpc.GetLoad(ctx, &loadgenv1.GetLoadRequest{Name: name})
	if err != nil {
		return scenarios.LoadReading{}, loadError("reading", name, err)
	}
	return reading(stats, asked)
}

func (l loads) Stop(ctx context.Context, name string) (scenarios.LoadReading, error) {
	ctx, cancel := context.WithTimeout(ctx, stopRPCLimit)
	defer cancel()
	asked := time.Now()
	stats, err := l.rpc.StopLoad(ctx, &loadgenv1.StopLoadRequest{Name: name})
	if err != nil {
		return scenarios.LoadReading{}, loadError("stopping", name, err)
	}
	return reading(stats, asked)
}

// loadError names a load as its scenario does, without the run's name before it.
func loadError(doing, name string, err error) error {
	name = path.Base(name)
	switch status.Code(err) {
	case codes.OK:
		return nil
	case codes.NotFound:
		return fmt.Errorf("%s load %s: %w", doing, name, scenarios.ErrNoLoad)
	case codes.AlreadyExists:
		return fmt.Errorf("%s load %s: %w", doing, name, scenarios.ErrLoadTaken)
	}
	return remedy.Wrap(fmt.Errorf("%s load %s: %w", doing, name, err), refusal.Remedies(err)...)
}

func reading(s *loadgenv1.LoadStats, asked time.Time) (scenarios.LoadReading, error) {
	r := scenarios.LoadReading{At: asked, Rate: scenarios.Rate(s.GetRate()), Intended: s.GetIntended(), Sent: s.GetSent(), OK: s.GetOk(), Errors: s.GetErrors(), Refused: s.GetRefused(),
		Failures: failures(s, time.Now())}
	answered := s.GetAnsweredHistogram()
	if len(answered) == 0 { // from a generator older than this field; the engine sees when failed calls are among them
		answered = s.GetLatencyHistogram()
	}
	var err, err2 error
	r.Latency, err = histogram(answered)
	r.FailedLatency, err2 = histogram(s.GetFailedHistogram())
	if err = errors.Join(err, err2); err != nil {
		return scenarios.LoadReading{}, fmt.Errorf("reading load %s: its histogram: %w", s.GetName(), err)
	}
	return r, nil
}

func histogram(encoded []byte) (*hdrhistogram.Histogram, error) {
	if len(encoded) == 0 {
		return nil, nil
	}
	return hdrhistogram.Decode(encoded)
}

// clockSkew is how far the clocks of this machine and of the cluster may be apart before times are converted. A smaller difference is the time
// that the answer took.
const clockSkew = time.Second

// failures are dated by the clock of this machine.
func failures(s *loadgenv1.LoadStats, now time.Time) []scenarios.FailurePeriod {
	var shift time.Duration
	if s.GetReadAt() != nil {
		if d := now.Sub(s.GetReadAt().AsTime()); d.Abs() > clockSkew {
			shift = d
		}
	}
	var out []scenarios.FailurePeriod
	for _, p := range s.GetFailures() {
		out = append(out, scenarios.FailurePeriod{First: p.GetFirstFailedAt().AsTime().Add(shift), Last: p.GetLastFailedAt().AsTime().Add(shift),
			Failed: p.GetFailed(), Outage: p.GetLongestOutage().AsDuration()})
	}
	return out
}

// breakers reads the circuit breakers inside the load generator.
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

// Events streams breaker changes; after 0 it begins with the first one that is no older than since.
func (b breakers) Events(ctx context.Context, since time.Time, after uint64) (<-chan scenarios.BreakerChange, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	late := time.AfterFunc(rpcLimit, func() { cancel(context.DeadlineExceeded) }) // for the subscription, not for what follows
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
		history := after == 0 // what is older than since, or was lost before that, is nobody's business
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

// The kinds of events that tell of breakers, and that may stand for such.
const (
	kindBreaker = "breaker"
	kindMissed  = "missed"
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
