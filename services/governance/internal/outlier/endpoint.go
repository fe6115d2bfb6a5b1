package outlier

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/grpc-sandbox/sandbox/services/governance/internal/window"
)

// States of an endpoint.
const (
	inUse int32 = iota
	out
	onTrial
)

// Endpoint is one replica of the callee.
type Endpoint struct {
	set     *Set
	address string
	state   atomic.Int32
	gone    atomic.Bool
	// until is when an ejected endpoint gets its trial call, or when a trial call without an outcome is given up.
	until atomic.Int64

	mu     sync.Mutex
	row    uint32
	recent window.Window
	// failed is when the last failure was counted.
	failed time.Duration
	// resets counts how often row was set to 0.
	resets uint64
	// times counts the ejections without a longer time of good work in between.
	times uint
	back  time.Duration
	// retract has what to do for each recent failure if the endpoint is ejected.
	retract []func()
}

// Address returns the address of the endpoint.
func (e *Endpoint) Address() string { return e.address }

// Gone reports whether the set has forgotten the endpoint.
func (e *Endpoint) Gone() bool { return e.gone.Load() }

// Ejected reports whether calls are kept away from the endpoint, or one call tries it.
func (e *Endpoint) Ejected() bool { return e.state.Load() != inUse }

// Due reports whether it is time for a trial call.
func (e *Endpoint) Due() bool { return int64(e.set.now()) >= e.until.Load() }

// Admission is how a call was admitted to an endpoint.
type Admission int

// Admissions.
const (
	Refused Admission = iota
	Admitted
	// Trial is the one call that tries an ejected endpoint.
	Trial
	// Forced is a call to an ejected endpoint because no other one is available. It says nothing about the ejection.
	Forced
)

// Admit decides whether a call may go to the endpoint. Done must be called with the admission, unless it is Refused.
func (e *Endpoint) Admit() Admission {
	state := e.state.Load()
	if state == inUse {
		return Admitted
	}
	now, until := int64(e.set.now()), e.until.Load()
	if now < until || !e.until.CompareAndSwap(until, now+int64(e.set.cfg.Load().Max)) {
		return Refused
	}
	e.state.CompareAndSwap(state, onTrial)
	return Trial
}

// Outcome is what a call says about an endpoint.
type Outcome int

// Outcomes. A neutral call, such as a cancelled one, says nothing.
const (
	Neutral Outcome = iota
	Success
	Failure
)

// Done counts the outcome of an admitted call.
func (e *Endpoint) Done(a Admission, o Outcome) {
	switch {
	case a == Trial && o == Success:
		e.readmit("the trial call succeeded")
	case a == Trial && o == Failure:
		e.eject("trial_failed", "the trial call failed")
	case a == Trial:
		// The next call is the trial.
		e.until.Store(int64(e.set.now()))
	case o != Neutral && e.state.Load() == inUse:
		if class, reason := e.count(o == Success); class != "" {
			e.eject(class, reason)
		}
	}
}

// Answer is what FailLater needs to know about the first message of a stream.
type Answer struct {
	// row is how many failures in a row the message ended, with the reset of this number.
	row    uint32
	resets uint64
}

// Answered counts the first message of an admitted stream as a success, instead of Done. A stream may live for hours, and most are ended by their
// caller, which says nothing about the endpoint. Only its failure counts later.
func (e *Endpoint) Answered(a Admission) Answer {
	e.mu.Lock()
	answer := Answer{e.row, e.resets + 1}
	e.mu.Unlock()
	e.Done(a, Success)
	return answer
}

// FailLater counts the failure of a stream after its first message. The failures in a row that the message ended count again, unless another call has
// succeeded since: an endpoint may answer every stream and then fail it.
func (e *Endpoint) FailLater(answer Answer) {
	e.mu.Lock()
	if answer.resets == e.resets {
		e.row += answer.row
	}
	e.mu.Unlock()
	e.Done(Admitted, Failure)
}

// count counts an outcome, and returns why the endpoint should be ejected, if it should.
func (e *Endpoint) count(ok bool) (class, reason string) {
	cfg := e.set.cfg.Load()
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.set.now()
	e.recent.Add(now, window.Outcome{Failed: !ok})
	if ok {
		e.row = 0
		e.resets++
		return "", ""
	}
	if now-e.failed > cfg.longAgo() {
		e.row = 0
		e.resets++
	}
	e.failed = now
	e.row++
	finished := e.recent.OK + e.recent.Failed
	switch {
	case cfg.Disabled:
		return "", ""
	case e.row >= cfg.Consecutive:
		return "consecutive_failures", fmt.Sprintf("%d calls in a row failed", e.row)
	case finished >= ratioCalls && float64(e.recent.Failed) >= cfg.Ratio*float64(finished):
		return "failure_ratio", fmt.Sprintf("%d of %d calls in a second failed", e.recent.Failed, finished)
	}
	return "", ""
}
