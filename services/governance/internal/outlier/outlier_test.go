package outlier

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// rig is a set of three endpoints with a clock that the test sets.
type rig struct {
	*Set
	t     *testing.T
	clock time.Duration
	// count is the sum of the deltas.
	count   int
	changes []string
}

func newRig(t *testing.T, cfg Config, endpoints int) *rig {
	r := &rig{t: t, clock: time.Hour}
	r.Set = NewSet(func() time.Duration { return r.clock }, func(c Change) {
		r.count += c.Delta
		if c.Gone {
			r.changes = append(r.changes, fmt.Sprintf("%s gone count=%d", c.Address, r.count))
			return
		}
		r.changes = append(r.changes, fmt.Sprintf("%s ejected=%v %s count=%d", c.Address, c.Ejected, c.Class, r.count))
	})
	r.Configure(cfg)
	var all []string
	for i := range endpoints {
		all = append(all, fmt.Sprint("e", i))
	}
	r.Keep(all)
	return r
}

// calls makes calls with an outcome. It returns how many were admitted.
func (r *rig) calls(address string, n int, o Outcome) (admitted int) {
	e := r.Of(address)
	for range n {
		if a := e.Admit(); a != Refused {
			admitted++
			e.Done(a, o)
		}
	}
	return admitted
}

func (r *rig) saw(want ...string) {
	r.t.Helper()
	if !slices.Equal(r.changes, want) {
		r.t.Errorf("changes:\n%q\nwant\n%q", r.changes, want)
	}
	r.changes = nil
}

func TestEndpoint_Ejected(t *testing.T) {
	for _, c := range []struct {
		name string
		cfg  Config
		do   func(r *rig)
		want []string
	}{
		{"after five failures in a row", Config{}, func(r *rig) { r.calls("e0", 5, Failure) }, []string{"e0 ejected=true consecutive_failures count=1"}},
		{"not after four", Config{}, func(r *rig) { r.calls("e0", 4, Failure) }, nil},
		{"not if a success comes in between", Config{}, func(r *rig) {
			for range 3 {
				r.calls("e0", 4, Failure)
				r.calls("e0", 12, Success)
			}
		}, nil},
		{"neutral calls do not count", Config{}, func(r *rig) {
			for range 4 {
				r.calls("e0", 1, Failure)
				r.calls("e0", 3, Neutral)
			}
		}, nil},
		{"when a minute lies between failures in a row", Config{}, func(r *rig) {
			for range 5 {
				r.calls("e0", 1, Failure)
				r.clock += time.Minute
			}
		}, []string{"e0 ejected=true consecutive_failures count=1"}},
		{"not when more than twice the longest time of an ejection lies between failures", Config{}, func(r *rig) {
			for range 20 {
				r.calls("e0", 1, Failure)
				r.calls("e0", 3, Neutral)
				r.clock += time.Minute + 1
			}
		}, nil},
		{"when half of ten calls in a second failed", Config{}, func(r *rig) {
			for range 5 {
				r.calls("e0", 1, Success)
				r.calls("e0", 1, Failure)
			}
		}, []string{"e0 ejected=true failure_ratio count=1"}},
		{"not when they are spread over more than a second", Config{}, func(r *rig) {
			for range 20 {
				r.calls("e0", 1, Success)
				r.calls("e0", 1, Failure)
				r.clock += 250 * time.Millisecond
			}
		}, nil},
		{"not more than half of the endpoints", Config{}, func(r *rig) {
			r.calls("e0", 5, Failure)
			r.calls("e1", 20, Failure)
			r.calls("e2", 20, Failure)
		}, []string{"e0 ejected=true consecutive_failures count=1"}},
		{"more of them if the policy says so", Config{MaxPercent: 67}, func(r *rig) {
			for _, e := range []string{"e0", "e1", "e2"} {
				r.calls(e, 5, Failure)
			}
		}, []string{"e0 ejected=true consecutive_failures count=1", "e1 ejected=true consecutive_failures count=2"}},
		{"not if disabled", Config{Disabled: true}, func(r *rig) { r.calls("e0", 100, Failure) }, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, c.cfg, 3)
			c.do(r)
			r.saw(c.want...)
		})
	}
	t.Run("not if it is the only one", func(t *testing.T) {
		r := newRig(t, Config{}, 1)
		r.calls("e0", 100, Failure)
		r.saw()
	})
}

func TestEndpoint_Trials(t *testing.T) {
	r := newRig(t, Config{}, 3)
	r.calls("e0", 5, Failure)
	r.saw("e0 ejected=true consecutive_failures count=1")
	for _, wait := range []time.Duration{1, 2, 4, 8, 16, 30, 30} {
		if got := r.calls("e0", 10, Success); got != 0 {
			t.Fatalf("%d calls went to an ejected endpoint", got)
		}
		r.clock += wait*time.Second - 1
		if got := r.calls("e0", 10, Success); got != 0 {
			t.Fatalf("after almost %d s, %d calls were admitted", wait, got)
		}
		r.clock++
		e := r.Of("e0")
		if a, second := e.Admit(), e.Admit(); a != Trial || second != Refused {
			t.Fatalf("after %d s: %v, %v; want one trial", wait, a, second)
		}
		e.Done(Trial, Failure)
		r.saw("e0 ejected=true trial_failed count=1")
	}
	r.clock += 30 * time.Second
	if got := r.calls("e0", 10, Success); got != 10 {
		t.Errorf("%d of 10 calls admitted after a successful trial", got)
	}
	r.saw("e0 ejected=false  count=0")
	r.calls("e0", 5, Failure)
	r.clock += 29 * time.Second
	if got := r.calls("e0", 1, Success); got != 0 {
		t.Error("an endpoint that fails again soon is out for as long as before")
	}
	r.clock += time.Second
	r.calls("e0", 1, Success)
	r.clock += 61 * time.Second
	r.calls("e0", 5, Failure)
	r.clock += time.Second
	if got := r.calls("e0", 1, Success); got != 1 {
		t.Error("after a long time of good work, the time starts with the base again")
	}
}

func TestEndpoint_TrialWithoutOutcome(t *testing.T) {
	r := newRig(t, Config{}, 3)
	r.calls("e0", 5, Failure)
	r.clock += time.Second
	e := r.Of("e0")
	if e.Admit() != Trial {
		t.Fatal("no trial")
	}
	e.Done(Trial, Neutral)
	if e.Admit() != Trial {
		t.Error("a cancelled trial call does not make room for the next")
	}
	// This one never ends.
	r.clock += 30 * time.Second
	if e.Admit() != Trial {
		t.Error("a trial call without an outcome blocks the endpoint")
	}
}

func TestEndpoint_OldCallsEndDuringTheTrial(t *testing.T) {
	r := newRig(t, Config{}, 3)
	e := r.Of("e0")
	old := e.Admit()
	r.calls("e0", 5, Failure)
	e.Done(old, Success)
	if !e.Ejected() {
		t.Error("a call from before the ejection brought the endpoint back")
	}
}

func TestEndpoint_AnsweredStreams(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(r *rig, e *Endpoint)
		want []string
	}{
		{"end a row of failures", func(r *rig, e *Endpoint) {
			for range 3 {
				r.calls("e0", 4, Failure)
				e.Answered(e.Admit())
				r.clock += time.Second
			}
		}, nil},
		{"that all fail later", func(r *rig, e *Endpoint) {
			for range 5 {
				e.FailLater(e.Answered(e.Admit()))
				r.clock += time.Second
			}
		}, []string{"e0 ejected=true consecutive_failures count=1"}},
		{"that fail after others have succeeded", func(r *rig, e *Endpoint) {
			for range 5 {
				answer := e.Answered(e.Admit())
				r.calls("e0", 1, Success)
				e.FailLater(answer)
				r.clock += time.Second
			}
		}, nil},
		{"readmit the endpoint as trials", func(r *rig, e *Endpoint) {
			r.calls("e0", 5, Failure)
			r.clock += time.Second
			answer := e.Answered(e.Admit())
			e.FailLater(answer)
		}, []string{"e0 ejected=true consecutive_failures count=1", "e0 ejected=false  count=0"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, Config{}, 3)
			c.do(r, r.Of("e0"))
			r.saw(c.want...)
		})
	}
}

func TestEndpoint_RetractsFailures(t *testing.T) {
	r := newRig(t, Config{}, 3)
	e := r.Of("e0")
	retracted := 0
	for range 3 {
		e.OnEject(func() { retracted++ })
	}
	r.calls("e0", 5, Failure)
	e.OnEject(func() { retracted++ })
	if retracted != 4 {
		t.Errorf("%d of 4 failures retracted", retracted)
	}
}

func TestSet_Keep(t *testing.T) {
	r := newRig(t, Config{}, 3)
	r.calls("e0", 5, Failure)
	gone := r.Of("e0")
	r.Keep([]string{"e1", "e2", "e3"})
	r.calls("e1", 5, Failure)
	r.saw("e0 ejected=true consecutive_failures count=1", "e0 gone count=0", "e1 ejected=true consecutive_failures count=1")
	gone.Done(Trial, Success)
	r.saw()
	r.Configure(Config{Disabled: true})
	r.saw("e1 ejected=false  count=0")
	r.Keep(nil)
	r.saw()
}

// A change of the settings takes effect with the next call, also for endpoints that are ejected already.
func TestSet_ConfigureEjected(t *testing.T) {
	ejected := func(t *testing.T, first Config) *rig {
		r := newRig(t, first, 4)
		for _, e := range []string{"e0", "e1", "e2"} {
			r.calls(e, 5, Failure)
			r.clock += time.Second
		}
		r.changes = nil
		return r
	}
	long := Config{Base: 10 * time.Minute, Max: time.Hour, MaxPercent: 100}
	t.Run("a shorter time counts from now", func(t *testing.T) {
		r := ejected(t, long)
		r.Configure(Config{Base: time.Second, Max: 2 * time.Second, MaxPercent: 100})
		if got := r.calls("e0", 1, Success); got != 0 {
			t.Error("an ejected endpoint got a call at once")
		}
		r.clock += time.Second
		if got := r.calls("e0", 3, Success); got != 3 {
			t.Errorf("%d of 3 calls admitted after the new time", got)
		}
		r.saw("e0 ejected=false  count=2")
	})
	t.Run("the time stays doubled, up to the maximum", func(t *testing.T) {
		r := ejected(t, long)
		for range 3 {
			r.clock += time.Hour
			r.calls("e0", 1, Failure)
		}
		r.Configure(Config{Base: time.Second, Max: 3 * time.Second, MaxPercent: 100})
		r.clock += 3*time.Second - 1
		if got := r.calls("e0", 1, Success); got != 0 {
			t.Error("the time of a fourth ejection is that of the first")
		}
		r.clock++
		if got := r.calls("e0", 1, Success); got != 1 {
			t.Error("the time is longer than the maximum")
		}
	})
	t.Run("a longer time applies to the next ejection", func(t *testing.T) {
		r := ejected(t, Config{Base: 10 * time.Second, MaxPercent: 100})
		r.Configure(long)
		r.clock += 9 * time.Second
		if got := r.calls("e2", 1, Success); got != 1 {
			t.Error("an ejection was extended")
		}
	})
	t.Run("a smaller share brings those back that are due first", func(t *testing.T) {
		r := ejected(t, long)
		r.Configure(Config{Base: 10 * time.Minute, Max: time.Hour, MaxPercent: 50})
		r.saw("e0 ejected=false  count=2")
		if got := r.calls("e0", 3, Success); got != 3 {
			t.Errorf("%d of 3 calls admitted", got)
		}
		r.Configure(Config{Base: time.Second, Max: 2 * time.Second, MaxPercent: 25})
		r.saw("e1 ejected=false  count=1")
		r.Configure(Config{Base: time.Second, Max: 2 * time.Second, MaxPercent: 25})
		r.saw()
	})
	t.Run("a trial that is running counts", func(t *testing.T) {
		r := ejected(t, long)
		r.clock += 10 * time.Minute
		e := r.Of("e0")
		if e.Admit() != Trial {
			t.Fatal("no trial")
		}
		r.Configure(Config{Base: time.Second, Max: 2 * time.Second, MaxPercent: 100})
		if got := e.Admit(); got != Refused {
			t.Errorf("a second call was admitted during the trial: %v", got)
		}
		e.Done(Trial, Success)
		r.saw("e0 ejected=false  count=2")
	})
	t.Run("unchanged settings change nothing", func(t *testing.T) {
		r := ejected(t, long)
		r.clock += 9 * time.Minute
		r.Configure(long)
		r.clock += time.Minute
		if got := r.calls("e0", 1, Success); got != 1 {
			t.Error("an ejection was extended")
		}
	})
}
