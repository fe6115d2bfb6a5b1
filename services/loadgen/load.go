package loadgen

import (
	"context"
	"sync"
	"time"

	"github.com/grpc-sandbox/sandbox/services/loadgen/loadgenv1"
)

// maxInFlight bounds what one load may have in flight; see Overloaded.
const maxInFlight = 4096

// call sends arrival n. It must respect ctx.
type call func(ctx context.Context, n int64) error

// load is one running load.
type load struct {
	name, target, method string
	send                 call
	tally                *tally
	places               chan struct{} // one per call in flight

	mu      sync.Mutex
	rate    Pace
	changed chan struct{} // closed when rate changes
}

func newLoad(name string, rate Pace, send call, t *tally) *load {
	return &load{name: name, send: send, tally: t, places: make(chan struct{}, maxInFlight), rate: rate,
		changed: make(chan struct{})}
}

func (l *load) setRate(rate Pace) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rate = rate
	close(l.changed)
	l.changed = make(chan struct{})
}

func (l *load) pace() (Pace, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.rate, l.changed
}

// run sends arrivals as they fall due until ctx ends, then waits for those in flight. Their context is calls, which outlives ctx.
func (l *load) run(ctx, calls context.Context) {
	var inFlight sync.WaitGroup
	defer inFlight.Wait()
	timer := time.NewTimer(0)
	defer timer.Stop()
	var n int64 // arrivals so far, over all rates: the template is filled by it
	var latest time.Time
	for ctx.Err() == nil {
		rate, changed := l.pace()
		// Arrival 0 of this rate is the latest of the rate before: a change neither adds one nor makes up for a pause.
		begun, sent := time.Now(), int64(1)
		if rate > 0 {
			begun = begun.Add(-rate.At(1))
		}
		if latest.After(begun) {
			begun = latest
		}
		for sameRate := true; sameRate; {
			for due := rate.Due(time.Since(begun)); sent < due && ctx.Err() == nil; sent++ {
				latest = begun.Add(rate.At(sent))
				l.arrive(calls, &inFlight, n, latest)
				n++
			}
			timer.Reset(rate.At(sent) - time.Since(begun))
			select {
			case <-ctx.Done():
				return
			case <-changed:
				sameRate = false
			case <-timer.C:
			}
		}
	}
}

// arrive starts one call. Its latency counts from when it was due, so a late start does not hide.
func (l *load) arrive(ctx context.Context, inFlight *sync.WaitGroup, n int64, intended time.Time) {
	select {
	case l.places <- struct{}{}:
	default:
		l.tally.overloaded()
		return
	}
	l.tally.sending()
	inFlight.Go(func() {
		defer func() { <-l.places }()
		err := l.send(ctx, n)
		l.tally.finished(intended, err)
	})
}

func (l *load) stats() (*loadgenv1.LoadStats, error) {
	rate, _ := l.pace()
	out := &loadgenv1.LoadStats{Name: l.name, Target: l.target, Method: l.method, Rate: float64(rate)}
	return out, l.tally.stats(out)
}
