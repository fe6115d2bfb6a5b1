package loadgen

import (
	"context"
	"sync"
	"time"

	"github.com/grpc-sandbox/sandbox/services/loadgen/loadgenv1"
)

// maxInFlight bounds the calls in flight of one load. See Overloaded.
const maxInFlight = 4096

// call sends arrival n. It must return when ctx ends.
type call func(ctx context.Context, n int64) error

// load is one running load.
type load struct {
	name, target, method string
	send                 call
	// gateway is the connection of a load that is sent through a gateway, and nil for another load.
	gateway *gatewayConn
	tally   *tally
	// places has one element per call in flight.
	places chan struct{}

	mu   sync.Mutex
	rate Pace
	// changed is closed when rate changes.
	changed chan struct{}
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

// run sends arrivals when they are due until ctx ends, and then waits for the calls in flight. Their context is calls, which ends later than ctx.
func (l *load) run(ctx, calls context.Context) {
	var inFlight sync.WaitGroup
	defer inFlight.Wait()
	timer := time.NewTimer(0)
	defer timer.Stop()
	// n counts the arrivals over all rates. The request template is rendered with it.
	var n int64
	var latest time.Time
	for ctx.Err() == nil {
		rate, changed := l.pace()
		// The last arrival of the previous rate is arrival 0 of this one, so a change of rate neither adds an arrival nor makes up for a pause.
		start, sent := time.Now(), int64(1)
		if rate > 0 {
			start = start.Add(-rate.At(1))
		}
		if latest.After(start) {
			start = latest
		}
		for sameRate := true; sameRate; {
			for due := rate.Due(time.Since(start)); sent < due && ctx.Err() == nil; sent++ {
				latest = start.Add(rate.At(sent))
				l.arrive(calls, &inFlight, n, latest)
				n++
			}
			timer.Reset(rate.At(sent) - time.Since(start))
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

// arrive starts one call. Its latency is measured from the time when it was due, so a late start is included.
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
