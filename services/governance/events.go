package governance

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"sync"
	"time"
)

// Kinds of events.
const (
	KindBreaker     = "breaker"
	KindLoad        = "load"
	KindCertificate = "certificate"
	KindLifecycle   = "lifecycle"
	// KindMissed reports how many events were overwritten before a reader could get them.
	KindMissed = "missed"
)

// Event is something that happened in this process. Seq counts from 1 in each run of the process, which Boot identifies.
type Event struct {
	// Seq is set by Events.Add.
	Seq uint64
	// Time is when it happened. Default: the time of Events.Add.
	Time time.Time
	// Kind is one of the constants such as KindBreaker, or a kind that the program defines.
	Kind string
	// Subject is what the event is about, such as the callee and the method of a breaker. Detail says what happened, for people.
	Subject string
	Detail  string
	// Boot is set by Events.Add.
	Boot string
	// Labels are the same details for programs; nil if there are none. Events.Add copies the map.
	Labels map[string]string
}

// Events keeps the latest events in a ring. Add never waits for a reader; a reader that is too slow learns how many events it missed.
type Events struct {
	boot string

	mu      sync.Mutex
	ring    []Event
	last    uint64
	changed chan struct{}
}

// NewEvents returns a ring for the latest size events; 0 means 1024.
func NewEvents(size int) *Events {
	if size <= 0 {
		size = 1024
	}
	return &Events{boot: rand.Text(), ring: make([]Event, size), changed: make(chan struct{})}
}

// Boot identifies this run of the process.
func (e *Events) Boot() string { return e.boot }

// Add adds an event. It sets the sequence number, the boot id and, unless it is set, the time.
func (e *Events) Add(ev Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.last++
	ev.Seq, ev.Boot, ev.Labels = e.last, e.boot, maps.Clone(ev.Labels)
	if ev.Time.IsZero() {
		ev.Time = time.Now()
	}
	e.ring[(e.last-1)%uint64(len(e.ring))] = ev
	close(e.changed)
	e.changed = make(chan struct{})
}

// After returns the stored events after seq, how many such events were overwritten, and a channel that is closed at the next Add. A seq that
// this run has not reached belongs to another run and counts as 0.
func (e *Events) After(seq uint64) (kept []Event, missed uint64, changed <-chan struct{}) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if seq > e.last {
		seq = 0
	}
	first := seq + 1
	if size := uint64(len(e.ring)); e.last >= size && first < e.last-size+1 {
		missed = e.last - size + 1 - first
		first += missed
	}
	for n := first; n <= e.last; n++ {
		kept = append(kept, e.ring[(n-1)%uint64(len(e.ring))])
	}
	return kept, missed, e.changed
}

// Watch passes every event after seq to send, in order, until ctx ends or send fails. If events were overwritten, it sends one of KindMissed,
// whose Seq is that of the last overwritten event.
func (e *Events) Watch(ctx context.Context, seq uint64, send func(Event) error) error {
	for {
		kept, missed, changed := e.After(seq)
		if missed > 0 {
			gap := Event{Seq: kept[0].Seq - 1, Time: time.Now(), Kind: KindMissed, Boot: e.boot,
				Detail: fmt.Sprintf("%d events were overwritten before they could be sent", missed)}
			if err := send(gap); err != nil {
				return err
			}
		}
		for _, ev := range kept {
			if err := send(ev); err != nil {
				return err
			}
			seq = ev.Seq
		}
		if len(kept) > 0 {
			continue
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-changed:
		}
	}
}
