package target

import (
	"context"
	"time"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
)

const (
	// callLimit is the deadline of one request.
	callLimit = 10 * time.Second
	// stopLimit is the deadline of stopping a load, which waits for the calls in flight. The generator waits for less than that.
	stopLimit = 15 * time.Second
	// forceLimit is the deadline of a change of an object or a partner, which waits for every process that it concerns.
	forceLimit = 30 * time.Second
	// renewLimit is the deadline of the renewal of a certificate. On some clusters a pod gets the files of the new one only after more than a minute. The
	// renewal has shorter limits of its own, whose errors say what is missing.
	renewLimit = 5 * time.Minute
)

// WithDeadlines returns t with a deadline on every request. Without one, a paused node that accepts connections but does not answer would block a
// run.
func WithDeadlines(t Target) Target {
	timed := Target{Loads: timedLoads{t.Loads}, Workloads: timedWorkloads{t.Workloads}, Breakers: timedBreakers{t.Breakers}, Objects: timedObjects{t.Objects},
		Partners: timedPartners{t.Partners}, Certificates: timedCertificates{t.Certificates}}
	if t.Metrics != nil {
		timed.Metrics = timedMetrics{t.Metrics}
	}
	return timed
}

type timedLoads struct{ Loads }

func (l timedLoads) Start(ctx context.Context, load LoadSpec) error {
	return within(ctx, callLimit, func(ctx context.Context) error { return l.Loads.Start(ctx, load) })
}

func (l timedLoads) SetRate(ctx context.Context, name string, rate Rate) error {
	return within(ctx, callLimit, func(ctx context.Context) error { return l.Loads.SetRate(ctx, name, rate) })
}

func (l timedLoads) Read(ctx context.Context, name string) (r LoadReading, err error) {
	err = within(ctx, callLimit, func(ctx context.Context) error { r, err = l.Loads.Read(ctx, name); return err })
	return r, err
}

func (l timedLoads) Stop(ctx context.Context, name string) (r LoadReading, err error) {
	err = within(ctx, stopLimit, func(ctx context.Context) error { r, err = l.Loads.Stop(ctx, name); return err })
	return r, err
}

type timedWorkloads struct{ Workloads }

func (w timedWorkloads) Pods(ctx context.Context, release string) (pods []telemetry.Pod, err error) {
	err = within(ctx, callLimit, func(ctx context.Context) error { pods, err = w.Workloads.Pods(ctx, release); return err })
	return pods, err
}

func (w timedWorkloads) Kill(ctx context.Context, pod string, grace time.Duration) error {
	return within(ctx, callLimit, func(ctx context.Context) error { return w.Workloads.Kill(ctx, pod, grace) })
}

func (w timedWorkloads) Replicas(ctx context.Context, release string) (n int, err error) {
	err = within(ctx, callLimit, func(ctx context.Context) error { n, err = w.Workloads.Replicas(ctx, release); return err })
	return n, err
}

func (w timedWorkloads) Scale(ctx context.Context, release string, replicas int) error {
	return within(ctx, callLimit, func(ctx context.Context) error { return w.Workloads.Scale(ctx, release, replicas) })
}

type timedBreakers struct{ source Breakers }

func (b timedBreakers) Breakers(ctx context.Context) (all []telemetry.Breaker, err error) {
	err = within(ctx, callLimit, func(ctx context.Context) error { all, err = b.source.Breakers(ctx); return err })
	return all, err
}

// Events has a deadline for the subscription only. The channel lives as long as ctx.
func (b timedBreakers) Events(ctx context.Context, since time.Time, after uint64) (<-chan BreakerChange, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	late := time.AfterFunc(callLimit, func() { cancel(context.DeadlineExceeded) })
	changes, err := b.source.Events(ctx, since, after)
	if !late.Stop() && err == nil {
		err = context.DeadlineExceeded
	}
	if err != nil {
		cancel(err)
		return nil, err
	}
	return changes, nil
}

type timedObjects struct{ Objects }

func (o timedObjects) Put(ctx context.Context, object Object) error {
	return within(ctx, forceLimit, func(ctx context.Context) error { return o.Objects.Put(ctx, object) })
}

func (o timedObjects) Get(ctx context.Context, kind, name string) (object Object, ok bool, err error) {
	err = within(ctx, callLimit, func(ctx context.Context) error { object, ok, err = o.Objects.Get(ctx, kind, name); return err })
	return object, ok, err
}

func (o timedObjects) Delete(ctx context.Context, kind, name string) error {
	return within(ctx, forceLimit, func(ctx context.Context) error { return o.Objects.Delete(ctx, kind, name) })
}

type timedPartners struct{ Partners }

func (p timedPartners) Certificate(ctx context.Context, partner string) (c PartnerCertificate, ok bool, err error) {
	err = within(ctx, callLimit, func(ctx context.Context) error { c, ok, err = p.Partners.Certificate(ctx, partner); return err })
	return c, ok, err
}

func (p timedPartners) Revoke(ctx context.Context, partner string) error {
	return within(ctx, forceLimit, func(ctx context.Context) error { return p.Partners.Revoke(ctx, partner) })
}

func (p timedPartners) Admit(ctx context.Context, partner string, loads []string) error {
	return within(ctx, forceLimit, func(ctx context.Context) error { return p.Partners.Admit(ctx, partner, loads) })
}

type timedCertificates struct{ Certificates }

func (c timedCertificates) Renew(ctx context.Context, release string) error {
	return within(ctx, renewLimit, func(ctx context.Context) error { return c.Certificates.Renew(ctx, release) })
}

type timedMetrics struct{ source Metrics }

func (m timedMetrics) Value(ctx context.Context, query string) (v float64, err error) {
	err = within(ctx, callLimit, func(ctx context.Context) error { v, err = m.source.Value(ctx, query); return err })
	return v, err
}

func within(ctx context.Context, limit time.Duration, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return do(ctx)
}
