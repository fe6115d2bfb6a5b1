package outlier

import (
	"fmt"

	"github.com/grpc-sandbox/sandbox/services/governance/internal/window"
)

// eject ejects an endpoint that is in use, if not too many are out already, or one on trial again.
func (e *Endpoint) eject(class, reason string) {
	s := e.set
	s.mu.Lock()
	// It is loaded under the lock, so that nothing is ejected after Configure has disabled ejection.
	cfg := s.cfg.Load()
	if s.all[e.address] != e || cfg.Disabled {
		s.mu.Unlock()
		return
	}
	first := e.state.Load() == inUse
	if first && 100*(s.ejected+1) > int(cfg.MaxPercent)*s.total {
		s.mu.Unlock()
		return
	}
	delta := 0
	if first {
		s.ejected++
		delta = 1
	}
	e.mu.Lock()
	now := s.now()
	if first && now-e.back > cfg.longAgo() {
		e.times = 0
	}
	span := cfg.span(e.times)
	e.times++
	e.row = 0
	e.resets++
	e.recent = window.Window{}
	e.recent.Resize(now, ratioWindow)
	retract := e.retract
	e.retract = nil
	e.until.Store(int64(now + span))
	e.state.Store(out)
	e.mu.Unlock()
	s.mu.Unlock()
	for _, f := range retract {
		f()
	}
	s.publish(Change{Address: e.address, Ejected: true, Class: class, Reason: fmt.Sprintf("%s; out for %s", reason, span), Delta: delta})
}

// shorten applies other settings to the time of an ejected endpoint, or of one on trial. It never extends it.
func (e *Endpoint) shorten(cfg Config) {
	span := cfg.Max
	if e.state.Load() == out {
		e.mu.Lock()
		span = cfg.span(e.times - 1)
		e.mu.Unlock()
	}
	latest := int64(e.set.now() + span)
	for until := e.until.Load(); until > latest && !e.until.CompareAndSwap(until, latest); {
		until = e.until.Load()
	}
}

func (e *Endpoint) readmit(reason string) {
	s := e.set
	s.mu.Lock()
	if s.all[e.address] != e || e.state.Load() == inUse {
		s.mu.Unlock()
		return
	}
	s.ejected--
	e.mu.Lock()
	e.back = s.now()
	e.mu.Unlock()
	e.state.Store(inUse)
	s.mu.Unlock()
	s.publish(Change{Address: e.address, Delta: -1, Reason: reason})
}

// mostRetracted bounds what an endpoint remembers. An endpoint that is not ejected after so many failures is not going to be.
const mostRetracted = 256

// OnEject runs retract if the endpoint is ejected soon, or at once if it is ejected already.
func (e *Endpoint) OnEject(retract func()) {
	e.mu.Lock()
	ejected := e.state.Load() != inUse
	if !ejected {
		if len(e.retract) >= mostRetracted {
			e.retract = append(e.retract[:0], e.retract[mostRetracted/2:]...)
		}
		e.retract = append(e.retract, retract)
	}
	e.mu.Unlock()
	if ejected {
		retract()
	}
}
