package scenarios

import (
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
	"github.com/grpc-sandbox/sandbox/scenarios/grammar"
	"github.com/grpc-sandbox/sandbox/scenarios/internal/text"
	"github.com/grpc-sandbox/sandbox/scenarios/target"
)

const (
	// steadyCalls is how many arrivals a steady state must see of every load that it judges.
	steadyCalls = 10
)

// An optional part of an expectation names the load, the release or the breaker that it is about.
type (
	aboutLoad    interface{ load() string }
	aboutRelease interface{ release() string }
)

func (x availability) load() string { return x.Of }
func (x latency) load() string      { return x.Of }
func (x sent) load() string         { return x.Of }
func (x ready) release() string     { return x.Release }

// A lengthy action is not over when it is done.
type lengthy interface{ lasts() time.Duration }

func (a wait) lasts() time.Duration    { return a.For }
func (a setRate) lasts() time.Duration { return a.For }

// problems collects what is wrong with fields by their paths.
type problems struct {
	sc  Scenario
	all []grammar.Problem
}

func (p *problems) add(path, remedy, format string, args ...any) {
	p.all = append(p.all, grammar.Problem{File: p.sc.File, Line: p.sc.lines[path], Path: path, Message: fmt.Sprintf(format, args...), Remedy: remedy})
}

// expected is an expectation with where it is written.
type expected struct {
	Expectation
	path string // spec.expect[0].availability
	list string // spec.expect
	hold *time.Duration
}

// expectations lists every expectation of a scenario.
func (sc Scenario) expectations() []expected {
	var out []expected
	add := func(at, list string, x Expectation, hold *time.Duration) {
		for _, k := range Expectations() {
			if _, ok := sc.lines[at+"."+k.Name]; ok {
				at += "." + k.Name
				break
			}
		}
		out = append(out, expected{x, at, list, hold})
	}
	all := func(list string, expectations []Expectation, hold *time.Duration) {
		for i, x := range expectations {
			add(fmt.Sprintf("%s[%d]", list, i), list, x, hold)
		}
	}
	all("spec.steady.expect", sc.Steady.Expect, nil)
	for i, s := range sc.Steps {
		if s.WaitFor != nil {
			at := fmt.Sprintf("spec.steps[%d].waitFor", i)
			add(at, at, s.WaitFor.Condition, s.WaitFor.Hold)
		}
	}
	all("spec.recover.expect", sc.Recover.Expect, sc.Recover.Hold)
	all("spec.expect", sc.Expect, nil)
	return out
}

// nonsense lists what reads well and cannot be meant: what never fails, never happens, or is never seen.
func (sc Scenario) nonsense() []grammar.Problem {
	p := &problems{sc: sc}
	for _, check := range []func(*problems){
		loadNames, generatorStays, countsOfPods, steadyIsLongEnough, windowsAreLongEnough, heldWithin, tracesCanHappen, pathsAreHeard, nothingTwice, abortsGuard,
	} {
		check(p)
	}
	return p.all
}

func loadNames(p *problems) {
	for i, l := range p.sc.Load {
		if l.Name == target.Background {
			p.add(fmt.Sprintf("spec.load[%d].name", i), "try: name: browse", "%q is the load generator's own load", target.Background)
		}
	}
}

func generatorStays(p *problems) {
	for i, s := range p.sc.Steps {
		if a, ok := s.Action.(changer); ok && a.changes() == target.Generator {
			p.add(fmt.Sprintf("spec.steps[%d].%s.release", i, s.Kind), "choose a release that is called",
				"%s sends the load and observes it: without it nothing is measured", target.Generator)
		}
	}
}

func countsOfPods(p *problems) {
	for i, s := range p.sc.Steps {
		if a, ok := s.Action.(scale); ok && a.Replicas > target.MaxPods {
			p.add(fmt.Sprintf("spec.steps[%d].scale.replicas", i), "try: replicas: 5", "%d pods are more than a node can hold, which is %d", a.Replicas, target.MaxPods)
		}
		if a, ok := s.Action.(killPod); ok && a.Count > target.MaxPods {
			p.add(fmt.Sprintf("spec.steps[%d].killPod.count", i), "try: count: 1", "%d pods are more than a node can hold, which is %d", a.Count, target.MaxPods)
		}
	}
	for _, x := range p.sc.expectations() {
		if r, ok := x.Expectation.(ready); ok && r.Replicas > target.MaxPods {
			p.add(x.path+".replicas", "try: replicas: 3", "%d pods are more than a node can hold, which is %d", r.Replicas, target.MaxPods)
		}
	}
}

// fastest is the highest rate that a load has in a scenario.
func (sc Scenario) fastest(load string) Rate {
	var most Rate
	for _, l := range sc.Load {
		if l.Name == load {
			most = max(most, l.Rate)
		}
	}
	for _, s := range sc.Steps {
		if a, ok := s.Action.(setRate); ok && a.Load == load {
			most = max(most, a.Rate)
		}
	}
	return most
}

func steadyIsLongEnough(p *problems) {
	for _, x := range p.sc.Steady.Expect {
		about, ok := x.(aboutLoad)
		if !ok {
			continue
		}
		for _, l := range p.sc.Load {
			if due := float64(l.Rate) * p.sc.Steady.For.Seconds(); l.Name == about.load() && due < steadyCalls {
				p.add("spec.steady.for", fmt.Sprintf("try: for: %s", secondsFor(steadyCalls, l.Rate)),
					"at %s only %s calls of %s fall due in %s, which says nothing; want %d", l.Rate, text.Decimal(text.RoundDown(due)), l.Name, p.sc.Steady.For, steadyCalls)
				return
			}
		}
	}
}

func secondsFor(calls int, rate Rate) time.Duration {
	return max(time.Second, time.Duration(float64(calls)/float64(rate)*float64(time.Second)+float64(time.Second)-1).Truncate(time.Second))
}

// windowsAreLongEnough checks that the sliding windows of waitFor and recover can hold the calls that a ratio needs.
func windowsAreLongEnough(p *problems) {
	for _, x := range p.sc.expectations() {
		about, ok := x.Expectation.(aboutLoad)
		if !ok || !p.sc.slides(x) {
			continue
		}
		hold := x.window()
		if x.hold != nil {
			hold = *x.hold
		}
		rate := p.sc.fastest(about.load())
		if due := float64(rate) * hold.Seconds(); due < enough {
			p.add(x.path, fmt.Sprintf("raise the rate of %s to %s, or set hold: %s", about.load(), Rate(enough/max(hold.Seconds(), 1)), secondsFor(enough, rate)),
				"at %s only %s calls of %s fall due in the window of %s, which needs %d", rate, text.Decimal(text.RoundDown(due)), about.load(), hold, enough)
		}
	}
}

// slides says whether an expectation is judged over a sliding window.
func (sc Scenario) slides(x expected) bool {
	return x.list != "spec.steady.expect" && x.list != "spec.expect"
}

func heldWithin(p *problems) {
	check := func(at string, hold *time.Duration, within time.Duration) {
		if hold != nil && *hold > within {
			p.add(at+".hold", fmt.Sprintf("try: within: %s", *hold+within), "nothing can hold for %s within %s", *hold, within)
		}
	}
	for i, s := range p.sc.Steps {
		if s.WaitFor != nil {
			check(fmt.Sprintf("spec.steps[%d].waitFor", i), s.WaitFor.Hold, s.WaitFor.Within)
		}
	}
	check("spec.recover", p.sc.Recover.Hold, p.sc.Recover.Within)
}

// nextStates are the changes that a breaker makes.
var nextStates = map[telemetry.BreakerState][]telemetry.BreakerState{
	telemetry.Closed:   {telemetry.Open},
	telemetry.Open:     {telemetry.HalfOpen},
	telemetry.HalfOpen: {telemetry.Open, telemetry.Closed},
}

func tracesCanHappen(p *problems) {
	for _, x := range p.sc.expectations() {
		b, ok := x.Expectation.(breaker)
		if !ok {
			continue
		}
		for i := 1; i < len(b.Trace); i++ {
			if from, to := b.Trace[i-1], b.Trace[i]; !slices.Contains(nextStates[from], to) {
				p.add(fmt.Sprintf("%s.trace[%d]", x.path, i), "a breaker goes closed → open → half-open, and from there to open or closed; visits allows for gaps",
					"no breaker goes from %s to %s", from, to)
				break
			}
		}
	}
}

func pathsAreHeard(p *problems) {
	for _, x := range p.sc.expectations() {
		if b, ok := x.Expectation.(breaker); ok {
			if b.From != target.Generator {
				p.add(x.path+".from", "try: from: "+target.Generator, "only the breakers of %s are heard, got %q", target.Generator, b.From)
			}
			if b.Method != "" && !methodForm.MatchString(b.Method) {
				p.add(x.path+".method", "try: user.v1.UserService/GetUser", "want package.Service/Method, got %q", b.Method)
			}
		}
	}
}

func nothingTwice(p *problems) {
	all := p.sc.expectations()
	for i, x := range all {
		for _, earlier := range all[:i] {
			if x.list == earlier.list && reflect.DeepEqual(x.Expectation, earlier.Expectation) {
				p.add(x.path, "keep one of them", "the same is expected on line %d", p.sc.lines[earlier.path])
				break
			}
		}
	}
	for i, r := range p.sc.Abort {
		if at := slices.IndexFunc(p.sc.Abort[:i], func(o AbortRule) bool { return reflect.DeepEqual(o, r) }); at >= 0 {
			p.add(fmt.Sprintf("spec.abort[%d]", i), "keep one of them", "the same limit is set on line %d", p.sc.lines[fmt.Sprintf("spec.abort[%d]", at)])
		}
	}
}

// longest is how long a run takes at most, until its verdict.
func (sc Scenario) longest() time.Duration {
	d := sc.Steady.For + sc.Recover.Within
	for _, s := range sc.Steps {
		d += s.After
		if a, ok := s.Action.(lengthy); ok {
			d += a.lasts()
		}
		if s.WaitFor != nil {
			d += s.WaitFor.Within
		}
	}
	return d
}

func abortsGuard(p *problems) {
	for i, r := range p.sc.Abort {
		if longest := p.sc.longest(); r.window() > longest {
			p.add(fmt.Sprintf("spec.abort[%d].availability.for", i), "try: for: 10s", "the window of %s is longer than a run of this file can take, which is %s: the limit guards nothing", r.window(), longest)
		}
	}
}
