package spec

import (
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/scenarios/action"
	"github.com/grpc-sandbox/sandbox/scenarios/expect"
	"github.com/grpc-sandbox/sandbox/scenarios/grammar"
	"github.com/grpc-sandbox/sandbox/scenarios/internal/text"
	"github.com/grpc-sandbox/sandbox/scenarios/target"
)

// steadyCalls is how many arrivals a steady state must see of each load that it judges.
const steadyCalls = 10

// problems collects mistakes in fields by their paths.
type problems struct {
	sc  Scenario
	all []grammar.Problem
}

func (p *problems) add(path string, fix remedy.Remedy, format string, args ...any) {
	p.all = append(p.all, grammar.Problem{File: p.sc.File, Line: p.sc.lines[path], Path: path, Message: fmt.Sprintf(format, args...), Remedy: fix})
}

// sanity lists what can be written and makes no sense: what never fails, never happens, or is never observed.
func (sc Scenario) sanity() []grammar.Problem {
	p := &problems{sc: sc}
	for _, check := range []func(*problems){
		loadNames, generatorIsKept, kindsMakeSense, steadyIsLongEnough, windowsAreLongEnough, holdsFitIn, nothingTwice, limitsCanBeExceeded,
	} {
		check(p)
	}
	return p.all
}

func loadNames(p *problems) {
	for i, l := range p.sc.Load {
		if target.IsBackground(l.Name) {
			p.add(fmt.Sprintf("spec.load[%d].name", i), remedy.Value("name: browse"), "%q is the load generator's own load", l.Name)
		}
	}
}

func generatorIsKept(p *problems) {
	for i, s := range p.sc.Steps {
		if a, ok := s.Action.(action.Changer); ok && a.Changes() == target.Generator {
			p.add(p.sc.ActionPath(i)+".release", remedy.Advice("choose a release that is called"),
				"%s sends the load and observes it: without it nothing is measured", target.Generator)
		}
	}
}

// kindsMakeSense calls Validate of each action and expectation that has it.
func kindsMakeSense(p *problems) {
	validate := func(path string, part any) {
		if v, ok := part.(grammar.Validator); ok {
			for _, m := range v.Validate() {
				p.add(path+"."+m.Field, m.Remedy, "%s", m.Message)
			}
		}
	}
	for i, s := range p.sc.Steps {
		validate(p.sc.ActionPath(i), s.Action)
	}
	for _, x := range p.sc.expectations() {
		validate(x.path, x.Expectation)
	}
}

// fastest returns the highest rate that a load has in a scenario.
func (sc Scenario) fastest(load string) target.Rate {
	var most target.Rate
	for _, l := range sc.Load {
		if l.Name == load {
			most = max(most, l.Rate)
		}
	}
	for _, s := range sc.Steps {
		if a, ok := s.Action.(action.RateSetter); ok {
			if of, rate := a.SetsRate(); of == load {
				most = max(most, rate)
			}
		}
	}
	return most
}

func steadyIsLongEnough(p *problems) {
	for _, x := range p.sc.Steady.Expect {
		about, ok := x.(expect.OfLoad)
		if !ok {
			continue
		}
		for _, l := range p.sc.Load {
			if due := float64(l.Rate) * p.sc.Steady.For.Seconds(); l.Name == about.Load() && due < steadyCalls {
				p.add("spec.steady.for", remedy.Value(fmt.Sprintf("for: %s", secondsFor(steadyCalls, l.Rate))),
					"at %s only %s calls of %s fall due in %s, too few to judge; want %d",
					l.Rate, text.Decimal(text.RoundDown(due)), l.Name, p.sc.Steady.For, steadyCalls)
				return
			}
		}
	}
}

// secondsFor returns the time in which that many calls are due, in whole seconds.
func secondsFor(calls int, rate target.Rate) time.Duration {
	return max(time.Second, time.Duration(float64(calls)/float64(rate)*float64(time.Second)+float64(time.Second)-1).Truncate(time.Second))
}

// windowsAreLongEnough checks that enough calls for a ratio are due in the sliding windows of waitFor and recover.
func windowsAreLongEnough(p *problems) {
	for _, x := range p.sc.expectations() {
		about, ok := x.Expectation.(expect.OfLoad)
		if !ok || x.window == "" {
			continue
		}
		hold := x.DefaultHold()
		if x.hold != nil {
			hold = *x.hold
		}
		rate := p.sc.fastest(about.Load())
		if due := float64(rate) * hold.Seconds(); due < expect.WindowCalls {
			enough := target.Rate(expect.WindowCalls / max(hold.Seconds(), 1))
			p.add(x.path, remedy.Advice(fmt.Sprintf("raise the rate of %s to %s, or set %s: %s", about.Load(), enough, x.window, secondsFor(expect.WindowCalls, rate))),
				"at %s only %s calls of %s fall due in the window of %s, which needs %d",
				rate, text.Decimal(text.RoundDown(due)), about.Load(), hold, expect.WindowCalls)
		}
	}
}

func holdsFitIn(p *problems) {
	check := func(at string, hold *time.Duration, within time.Duration) {
		if hold != nil && *hold > within {
			p.add(at+".hold", remedy.Value(fmt.Sprintf("within: %s", *hold+within)), "nothing can hold for %s within %s", *hold, within)
		}
	}
	for i, s := range p.sc.Steps {
		if s.WaitFor != nil {
			check(fmt.Sprintf("spec.steps[%d].waitFor", i), s.WaitFor.Hold, s.WaitFor.Within)
		}
	}
	check("spec.recover", p.sc.Recover.Hold, p.sc.Recover.Within)
}

func nothingTwice(p *problems) {
	all := p.sc.expectations()
	for i, x := range all {
		for _, earlier := range all[:i] {
			if x.list == earlier.list && reflect.DeepEqual(x.Expectation, earlier.Expectation) {
				p.add(x.path, remedy.Advice("keep one of them"), "the same is expected on line %d", p.sc.lines[earlier.path])
				break
			}
		}
	}
	for i, l := range p.sc.Abort {
		if at := slices.IndexFunc(p.sc.Abort[:i], func(o expect.Limit) bool { return reflect.DeepEqual(o, l) }); at >= 0 {
			p.add(fmt.Sprintf("spec.abort[%d]", i), remedy.Advice("keep one of them"), "the same limit is set on line %d", p.sc.lines[fmt.Sprintf("spec.abort[%d]", at)])
		}
	}
}

// longest returns how long a run takes at most, until its verdict.
func (sc Scenario) longest() time.Duration {
	d := sc.Steady.For + sc.Recover.Within
	for _, s := range sc.Steps {
		d += s.After
		if a, ok := s.Action.(action.Lasting); ok {
			d += a.Lasts()
		}
		if s.WaitFor != nil {
			d += s.WaitFor.Within
		}
		if s.Measure != nil {
			d += s.Measure.For
		}
	}
	return d
}

// limitsCanBeExceeded checks that the window of each limit fits into the run, and that enough calls for a ratio are due in it.
func limitsCanBeExceeded(p *problems) {
	for i, l := range p.sc.Abort {
		path := p.sc.kindPath(fmt.Sprintf("spec.abort[%d]", i), grammar.Names(expect.Limits())) + ".for"
		longest, rate := p.sc.longest(), p.sc.fastest(l.Load())
		due := float64(rate) * l.Window().Seconds()
		switch {
		case l.Window() > longest:
			p.add(path, remedy.Value("for: 10s"),
				"the window of %s is longer than a run of this file can take, which is %s: the limit guards nothing", l.Window(), longest)
		case rate > 0 && due < expect.WindowCalls:
			p.add(path, remedy.Value(fmt.Sprintf("for: %s", secondsFor(expect.WindowCalls, rate))),
				"at %s only %s calls of %s fall due in the window of %s, which needs %d",
				rate, text.Decimal(text.RoundDown(due)), l.Load(), l.Window(), expect.WindowCalls)
		}
	}
}
