package probe

import (
	"context"
	"fmt"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/grpc-sandbox/sandbox/charts"
	"github.com/grpc-sandbox/sandbox/internal/pause"
	"github.com/grpc-sandbox/sandbox/services/control/compile"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
	"github.com/grpc-sandbox/sandbox/services/loadgen/loadgenv1"
)

func selecting(service string) *policyv1.WorkloadSelector {
	return &policyv1.WorkloadSelector{MatchLabels: map[string]string{compile.ServiceLabel: service}}
}

// atLoadgen returns a fault in the calls that the load generator makes to a method of the target. Calls of other clients are not affected.
func (r run) atLoadgen(m Method) *policyv1.FaultSpec {
	return &policyv1.FaultSpec{Selector: selecting(charts.LoadGenerator), Side: policyv1.FaultSide_FAULT_SIDE_CLIENT, Callee: r.Target.Service, Method: m.Name}
}

// deadline makes calls of the load generator slower than their deadline.
type deadline struct {
	method Method
	// timeout is the deadline; 0 means that there is none.
	timeout time.Duration
	rate    float64
}

// defaultTimeout is the deadline of a call without a policy.
const defaultTimeout = time.Second

// slow is how long a call takes: longer than its deadline, or than the default if there is none.
func (d deadline) slow() time.Duration {
	if d.timeout == 0 {
		return defaultTimeout + defaultTimeout/2
	}
	return d.timeout + 2*time.Second
}

// slowCalls is for how long slow calls are started.
const slowCalls = 3 * time.Second

func (p *planner) deadline(i int, at string, m *policyv1.MethodPolicy) {
	d := m.GetDeadline()
	if d.GetTimeout() == nil && !d.GetNone() {
		return
	}
	field := at + "deadline.timeout"
	if d.GetNone() {
		field = at + "deadline.none"
	}
	method, ok := p.loaded(i, field, func(m *policyv1.MethodPolicy) bool { return m.GetDeadline() != nil })
	if !ok {
		return
	}
	probe := deadline{method, d.GetTimeout().AsDuration(), p.under(4, method)}
	if probe.timeout > longest {
		p.skipped[field] = fmt.Sprintf("only time-outs up to %s are probed", longest)
		return
	}
	p.checks = append(p.checks, check{fields: []string{field}, doing: fmt.Sprintf("delaying calls of the load generator to %s by %s", method.Name, probe.slow()),
		takes: slowCalls + probe.slow() + settle, opens: method, run: probe.probe})
}

func (d deadline) probe(ctx context.Context, r run) (verdict, observed string, err error) {
	if err := r.healthy(ctx, d.method, d.rate); err != nil {
		return "", "", err
	}
	f := r.atLoadgen(d.method)
	f.Kind = &policyv1.FaultSpec_Delay{Delay: &policyv1.Delay{Fixed: durationpb.New(d.slow())}}
	var last *loadgenv1.LoadStats
	err = r.fault(ctx, f, func() (err error) {
		last, err = r.load(ctx, d.method, d.rate, func(ctx context.Context, _ string) error { return pause.For(ctx, slowCalls) })
		return err
	})
	if err != nil {
		return "", "", err
	}
	return d.judge(last)
}

func (d deadline) judge(s *loadgenv1.LoadStats) (verdict, observed string, err error) {
	late, all := s.GetErrors()["DEADLINE_EXCEEDED"], s.GetSent()-unsent(s)
	failed, err := median(s.GetFailedHistogram())
	if err != nil {
		return "", "", err
	}
	observed = fmt.Sprintf("%d of %d calls that would take %s ended with DEADLINE_EXCEEDED", late, all, d.slow())
	if late > 0 {
		observed += fmt.Sprintf(", after %s (median)", failed.Round(time.Millisecond))
	}
	switch {
	case all == 0:
		return NotProbed, "no call was made", nil
	case d.timeout == 0 && late == 0, d.timeout > 0 && late*10 >= all*9 && failed >= d.timeout*8/10 && failed <= d.timeout*12/10+100*time.Millisecond:
		return Enforced, observed, nil
	default:
		return NotEnforced, observed, nil
	}
}

// median returns the median of a histogram; 0 if it is empty.
func median(encoded []byte) (time.Duration, error) {
	if len(encoded) == 0 {
		return 0, nil
	}
	h, err := hdrhistogram.Decode(encoded)
	if err != nil {
		return 0, fmt.Errorf("reading a histogram: %w", err)
	}
	return time.Duration(h.ValueAtQuantile(50)) * time.Microsecond, nil
}

// retrying lets a small share of attempts fail at the service.
type retrying struct {
	method   Method
	code     string
	attempts uint32
	rate     float64
}

// failing is the share of attempts that fail, in percent: so few that the retry budget permits every retry.
const failing = 5

func (p *planner) retry(i int, at string, m *policyv1.MethodPolicy) {
	retry := m.GetRetry()
	if retry == nil {
		return
	}
	method, ok := p.loaded(i, at+"retry", func(m *policyv1.MethodPolicy) bool { return m.GetRetry() != nil })
	if !ok {
		return
	}
	probe := retrying{method, "UNAVAILABLE", retry.GetMaxAttempts(), p.under(40, method)}
	if codes := retry.GetCodes(); len(codes) > 0 {
		probe.code = codes[0]
	}
	p.checks = append(p.checks, check{fields: []string{at + "retry.idempotent", at + "retry.maxAttempts", at + "retry.codes"}, windowed: true, takes: settle, opens: method, run: probe.probe,
		doing: fmt.Sprintf("letting %d %% of the calls to %s fail with %s", failing, method.Name, probe.code)})
}

func (t retrying) probe(ctx context.Context, r run) (verdict, observed string, err error) {
	if err := r.healthy(ctx, t.method, t.rate); err != nil {
		return "", "", err
	}
	f := &policyv1.FaultSpec{Selector: selecting(r.Target.Service), Method: t.method.Name, Percent: proto.Float64(failing),
		Kind: &policyv1.FaultSpec_Abort{Abort: &policyv1.Abort{Code: t.code}}}
	var last *loadgenv1.LoadStats
	err = r.fault(ctx, f, func() (err error) {
		last, err = r.load(ctx, t.method, t.rate, func(ctx context.Context, _ string) error { return pause.For(ctx, r.Window) })
		return err
	})
	if err != nil {
		return "", "", err
	}
	verdict, observed = t.judge(last)
	return verdict, observed, nil
}

// enough is the number of failed attempts below which the result may be chance.
const enough = 8

func (t retrying) judge(s *loadgenv1.LoadStats) (verdict, observed string) {
	failed, all := s.GetErrors()[t.code], s.GetSent()
	expected := float64(all) * failing / 100
	observed = fmt.Sprintf("%d of %d calls failed with %s, while %d %% of the attempts did", failed, all, t.code, failing)
	few := float64(failed) < expected/2
	switch {
	case expected < enough:
		return NotProbed, observed + ": too few to tell"
	case few == (t.attempts > 1):
		return Enforced, observed
	default:
		return NotEnforced, observed
	}
}
