// Package hub collects the events of all processes and passes them on to watchers.
//
//	process ── Sessions.Connect ──▶ Hub (a ring of the latest events) ── Events.Watch ──▶ screen, scenario engine
//	        ◀── heartbeats of leases ──┘
//
// Every process numbers its events, and the hub numbers all of them again. Neither a lost connection nor a full ring loses events silently: what is
// missing is an event of its own, of kind missed.
package hub

import (
	"crypto/rand"
	"fmt"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/grpc-sandbox/sandbox/services/control/telemetryv1"
)

// KindMissed is the kind of an event that stands for events which are missing.
const KindMissed = "missed"

// Source is a process: a pod, and the service that it belongs to.
type Source struct{ Namespace, Pod, Service string }

// Hub keeps the latest events. Create it with New.
type Hub struct {
	run string

	mu      sync.Mutex
	ring    []entry
	last    uint64
	changed chan struct{}
	// known has the last event of each run of a process.
	known map[boot]known
	// breakers has the state of each breaker of the connected processes.
	breakers map[breakerKey]*telemetryv1.Breaker
	// connections counts the connections of each process.
	connections map[Source]int
	// remote has the breakers of the processes of each other replica.
	remote map[string]map[breakerKey]bool
}

// entry is a stored event. forwarded means that it came from another replica.
type entry struct {
	*telemetryv1.Event
	forwarded bool
}

type boot struct{ namespace, pod, id string }

type known struct {
	seq  uint64
	seen time.Time
}

// defaultSize is the number of events that a hub keeps: about 8 MB, if all of them are long.
const defaultSize = 8192

// New returns a hub that keeps the latest size events. Default: 8192.
func New(size int) *Hub {
	if size <= 0 {
		size = defaultSize
	}
	return &Hub{run: rand.Text(), ring: make([]entry, size), changed: make(chan struct{}), known: map[boot]known{}, breakers: map[breakerKey]*telemetryv1.Breaker{}, connections: map[Source]int{},
		remote: map[string]map[breakerKey]bool{}}
}

// Run identifies this run of the hub.
func (h *Hub) Run() string { return h.run }

// Observe adds an event that every replica sees by itself at the API server. It is not forwarded to the others.
func (h *Hub) Observe(s Source, kind, subject, detail string) {
	e := bounded(s, &telemetryv1.Event{Time: timestamppb.Now(), Kind: kind, Subject: subject, Detail: detail})
	h.mu.Lock()
	defer h.mu.Unlock()
	h.add(true, e)
}

// After returns the number of the last known event of a run of a process.
func (h *Hub) After(s Source, bootID string) uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.known[boot{s.Namespace, s.Pod, bootID}].seq
}

// The longest texts of an event. Longer ones are cut, so that the memory of the ring is bounded.
const (
	maxText   = 512
	maxLabels = 16
)

// Report adds an event of a process. An event that is known already is ignored. If events are missing before it, an event says so.
func (h *Hub) Report(s Source, e *telemetryv1.Event) { h.report(s, e, false) }

// Forward is Report for an event that another replica has received.
func (h *Hub) Forward(e *telemetryv1.Event) {
	h.report(Source{Namespace: e.GetNamespace(), Pod: e.GetPod(), Service: e.GetService()}, e, true)
}

func (h *Hub) report(s Source, e *telemetryv1.Event, forwarded bool) {
	e = bounded(s, e)
	h.mu.Lock()
	defer h.mu.Unlock()
	key := boot{s.Namespace, s.Pod, e.GetBoot()}
	before := h.known[key].seq
	if e.GetSeq() <= before {
		return
	}
	h.known[key] = known{e.GetSeq(), time.Now()}
	if gap := e.GetSeq() - before - 1; gap > 0 && e.GetKind() != KindMissed {
		h.add(forwarded, &telemetryv1.Event{Namespace: s.Namespace, Pod: s.Pod, Service: s.Service, Boot: e.GetBoot(), Seq: e.GetSeq() - 1, Time: e.GetTime(),
			Kind: KindMissed, Subject: s.Pod, Detail: fmt.Sprintf("%d events of the process were not received", gap)})
	}
	h.add(forwarded, e)
	h.follow(s, e, forwarded)
	h.forget()
}

func bounded(s Source, e *telemetryv1.Event) *telemetryv1.Event {
	out := &telemetryv1.Event{Namespace: s.Namespace, Pod: s.Pod, Service: s.Service, Seq: e.GetSeq(), Boot: short(e.GetBoot()), Time: e.GetTime(),
		Kind: short(e.GetKind()), Subject: short(e.GetSubject()), Detail: short(e.GetDetail()), Labels: map[string]string{}}
	for key, value := range e.GetLabels() {
		if len(out.Labels) < maxLabels {
			out.Labels[short(key)] = short(value)
		}
	}
	return out
}

func short(text string) string {
	if len(text) <= maxText {
		return text
	}
	cut := maxText
	for cut > 0 && text[cut]&0xC0 == 0x80 {
		// Not within a character.
		cut--
	}
	return text[:cut] + "…"
}

// forgetAfter is how long the last event of a run of a process is known after it was received.
const forgetAfter = time.Hour

// maxKnown is the number of runs from which on old ones are forgotten.
const maxKnown = 4096

func (h *Hub) forget() {
	if len(h.known) < maxKnown {
		return
	}
	for key, k := range h.known {
		if time.Since(k.seen) > forgetAfter {
			delete(h.known, key)
		}
	}
}

// add gives an event its position. h.mu is held.
func (h *Hub) add(forwarded bool, e *telemetryv1.Event) {
	h.last++
	e.Position, e.Run = h.last, h.run
	h.ring[(h.last-1)%uint64(len(h.ring))] = entry{e, forwarded}
	close(h.changed)
	h.changed = make(chan struct{})
}

// batch is the number of events that a watcher gets at a time.
const batch = 256

// after returns the next events after a position, how many are missing before them, the last position of all, and a channel that is closed at the next event.
func (h *Hub) after(position uint64) (next []entry, missing uint64, changed <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	first := position + 1
	if size := uint64(len(h.ring)); h.last >= size && first < h.last-size+1 {
		missing = h.last - size + 1 - first
		first += missing
	}
	for n := first; n <= h.last && len(next) < batch; n++ {
		one := h.ring[(n-1)%uint64(len(h.ring))]
		next = append(next, entry{proto.CloneOf(one.Event), one.forwarded})
	}
	return next, missing, h.changed
}

// oldest returns the position before the oldest stored event, and the position of the latest one.
func (h *Hub) bounds() (beforeOldest, latest uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if size := uint64(len(h.ring)); h.last > size {
		beforeOldest = h.last - size
	}
	return beforeOldest, h.last
}
