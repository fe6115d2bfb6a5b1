// Package window counts outcomes in a rolling window of time.
package window

import "time"

// Buckets is the number of buckets of a window.
const Buckets = 10

// Window counts outcomes in a rolling window of ten buckets. The zero value needs a Resize.
type Window struct {
	// width is the length of one bucket.
	width time.Duration
	// newest is the number of the newest bucket, counted from time 0.
	newest  int64
	buckets [Buckets]outcomes
	// OK and Failed are the sums of all buckets, and Slow is how many of both were slow.
	OK, Failed, Slow uint32
}

type outcomes struct{ ok, failed, slow uint32 }

// Outcome is what is counted of one call. The zero Outcome is a fast success.
type Outcome struct{ Failed, Slow bool }

// Advance drops buckets that are too old. A clock that went back has no effect.
func (w *Window) Advance(now time.Duration) {
	number := int64(now / w.width)
	if number <= w.newest {
		return
	}
	for n := max(w.newest+1, number-Buckets+1); n <= number; n++ {
		old := &w.buckets[n%Buckets]
		w.OK -= old.ok
		w.Failed -= old.failed
		w.Slow -= old.slow
		*old = outcomes{}
	}
	w.newest = number
}

// Add counts an outcome, and returns the number of its bucket.
func (w *Window) Add(now time.Duration, o Outcome) (bucket int64) {
	w.Advance(now)
	b := &w.buckets[w.newest%Buckets]
	if o.Failed {
		b.failed++
		w.Failed++
	} else {
		b.ok++
		w.OK++
	}
	if o.Slow {
		b.slow++
		w.Slow++
	}
	return w.newest
}

// Retract takes an outcome out of a bucket, if that is still in the window.
func (w *Window) Retract(now time.Duration, bucket int64, o Outcome) {
	w.Advance(now)
	if bucket <= w.newest-Buckets || bucket > w.newest {
		return
	}
	b := &w.buckets[bucket%Buckets]
	switch {
	case o.Failed && b.failed > 0:
		b.failed--
		w.Failed--
	case !o.Failed && b.ok > 0:
		b.ok--
		w.OK--
	}
	if o.Slow && b.slow > 0 {
		b.slow--
		w.Slow--
	}
}

// Resize changes the length of the window, and keeps the counts as exactly as the buckets allow.
func (w *Window) Resize(now, span time.Duration) {
	old := *w
	*w = Window{width: max(1, span/Buckets)}
	w.newest = int64(now / w.width)
	if old.width == 0 {
		return
	}
	old.Advance(now)
	for n := max(0, old.newest-Buckets+1); n <= old.newest; n++ {
		number := min(int64(time.Duration(n)*old.width/w.width), w.newest)
		if number <= w.newest-Buckets {
			continue
		}
		from, to := old.buckets[n%Buckets], &w.buckets[number%Buckets]
		to.ok += from.ok
		to.failed += from.failed
		to.slow += from.slow
		w.OK += from.ok
		w.Failed += from.failed
		w.Slow += from.slow
	}
}
