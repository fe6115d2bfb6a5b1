package target

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
)

// paused accepts every request and answers none until its context ends.
type paused struct{}

func (paused) wait(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }

func (p paused) Start(ctx context.Context, _ LoadSpec) error         { return p.wait(ctx) }
func (p paused) SetRate(ctx context.Context, _ string, _ Rate) error { return p.wait(ctx) }
func (p paused) Read(ctx context.Context, _ string) (LoadReading, error) {
	return LoadReading{}, p.wait(ctx)
}
func (p paused) Stop(ctx context.Context, _ string) (LoadReading, error) {
	return LoadReading{}, p.wait(ctx)
}
func (p paused) Pods(ctx context.Context, _ string) ([]telemetry.Pod, error) { return nil, p.wait(ctx) }
func (p paused) Kill(ctx context.Context, _ string, _ time.Duration) error   { return p.wait(ctx) }
func (p paused) Replicas(ctx context.Context, _ string) (int, error)         { return 0, p.wait(ctx) }
func (p paused) Scale(ctx context.Context, _ string, _ int) error            { return p.wait(ctx) }
func (p paused) Breakers(ctx context.Context) ([]telemetry.Breaker, error)   { return nil, p.wait(ctx) }
func (p paused) Events(ctx context.Context, _ time.Time, _ uint64) (<-chan BreakerChange, error) {
	return nil, p.wait(ctx)
}

func (p paused) Put(ctx context.Context, _ Object) error { return p.wait(ctx) }
func (p paused) Get(ctx context.Context, _, _ string) (Object, bool, error) {
	return Object{}, false, p.wait(ctx)
}
func (p paused) Delete(ctx context.Context, _, _ string) error { return p.wait(ctx) }

func (p paused) Certificate(ctx context.Context, _ string) (PartnerCertificate, bool, error) {
	return PartnerCertificate{}, false, p.wait(ctx)
}

func (p paused) Revoke(ctx context.Context, _ string) error { return p.wait(ctx) }

func (p paused) Admit(ctx context.Context, _ string, _ []string) error { return p.wait(ctx) }

func (p paused) Renew(ctx context.Context, _ string) error { return p.wait(ctx) }

func (p paused) Value(ctx context.Context, _ string) (float64, error) { return 0, p.wait(ctx) }

func TestWithDeadlines_EveryRequestEnds(t *testing.T) {
	timed := WithDeadlines(Target{paused{}, paused{}, paused{}, paused{}, paused{}, paused{}, paused{}})
	for what, do := range map[string]func(context.Context) error{
		"Start":       func(ctx context.Context) error { return timed.Loads.Start(ctx, LoadSpec{}) },
		"SetRate":     func(ctx context.Context) error { return timed.Loads.SetRate(ctx, "", 1) },
		"Read":        func(ctx context.Context) error { _, err := timed.Loads.Read(ctx, ""); return err },
		"Stop":        func(ctx context.Context) error { _, err := timed.Loads.Stop(ctx, ""); return err },
		"Pods":        func(ctx context.Context) error { _, err := timed.Workloads.Pods(ctx, ""); return err },
		"Kill":        func(ctx context.Context) error { return timed.Workloads.Kill(ctx, "", 0) },
		"Replicas":    func(ctx context.Context) error { _, err := timed.Workloads.Replicas(ctx, ""); return err },
		"Scale":       func(ctx context.Context) error { return timed.Workloads.Scale(ctx, "", 0) },
		"Breakers":    func(ctx context.Context) error { _, err := timed.Breakers.Breakers(ctx); return err },
		"Put":         func(ctx context.Context) error { return timed.Objects.Put(ctx, Object{}) },
		"Get":         func(ctx context.Context) error { _, _, err := timed.Objects.Get(ctx, "", ""); return err },
		"Delete":      func(ctx context.Context) error { return timed.Objects.Delete(ctx, "", "") },
		"Certificate": func(ctx context.Context) error { _, _, err := timed.Partners.Certificate(ctx, ""); return err },
		"Revoke":      func(ctx context.Context) error { return timed.Partners.Revoke(ctx, "") },
		"Admit":       func(ctx context.Context) error { return timed.Partners.Admit(ctx, "", nil) },
		"Renew":       func(ctx context.Context) error { return timed.Certificates.Renew(ctx, "") },
		"Value":       func(ctx context.Context) error { _, err := timed.Metrics.Value(ctx, ""); return err },
		"Events":      func(ctx context.Context) error { _, err := timed.Breakers.Events(ctx, time.Time{}, 0); return err },
	} {
		t.Run(what, func(t *testing.T) {
			limit := forceLimit
			if what == "Renew" {
				limit = renewLimit
			}
			synctest.Test(t, func(t *testing.T) {
				started := time.Now()
				err := do(t.Context())
				if took := time.Since(started); err == nil || took > limit {
					t.Errorf("%v after %s", err, took)
				}
			})
		})
	}
}

// streaming sends the changes that a test puts into its channel.
type streaming struct {
	paused
	changes chan BreakerChange
	ctx     context.Context
}

func (s *streaming) Events(ctx context.Context, _ time.Time, _ uint64) (<-chan BreakerChange, error) {
	s.ctx = ctx
	return s.changes, nil
}

func TestWithDeadlines_EventsOutliveTheirSubscription(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		source := &streaming{changes: make(chan BreakerChange, 1)}
		changes, err := WithDeadlines(Target{Breakers: source}).Breakers.Events(ctx, time.Now(), 0)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if source.ctx.Err() != nil {
			t.Error("the subscription ended with its deadline")
		}
		source.changes <- BreakerChange{New: telemetry.Open}
		if c := <-changes; c.New != telemetry.Open {
			t.Errorf("got %+v", c)
		}
	})
}
