package breaker

import "time"

const windowBuckets = 10

// window counts outcomes in a rolling window of ten buckets. The zero value needs a resize.
type window struct {
	// width is the length of one bucket.
	width time.Duration
	// newest is the number of the newest bucket, counted from time 0.
	newest  int64
	buckets [windowBuckets]outcomes
	// ok and failed are the sums of all buckets.
	ok, failed uint32
}

type outcomes struct{ ok, failed uint32 }

// advance drops buckets that are too old. A clock that went back has no effect.
func (w *window) advance(now time.Duration) {
	number := int64(now / w.width)
	if number <= w.newest {
		return
	}
	for n := max(w.newest+1, number-windowBuckets+1); n <= number; n++ {
		old := &w.buckets[n%windowBuckets]
		w.ok -= old.ok
		w.failed -= old.failed
		*old = outcomes{}
	}
	w.newest = number
}

func (w *window) add(now time.Duration, ok bool) {
	w.advance(now)
	b := &w.buckets[w.newest%windowBuckets]
	if ok {
		b.ok++
		w.ok++
	} else {
		b.failed++
		w.failed++
	}
}

// resize changes the length of the window, and keeps the counts as exactly as the buckets allow.
func (w *window) resize(now, span time.Duration) {
	old := *w
	*w = window{width: max(1, span/windowBuckets)}
	w.newest = int64(now / w.width)
	if old.width == 0 {
		return
	}
	old.advance(now)
	for n := max(0, old.newest-windowBuckets+1); n <= old.newest; n++ {
		number := min(int64(time.Duration(n)*old.width/w.width), w.newest)
		if number <= w.newest-windowBuckets {
			continue
		}
		from, to := old.buckets[n%windowBuckets], &w.buckets[number%windowBuckets]
		to.ok += from.ok
		to.failed += from.failed
		w.ok += from.ok
		w.failed += from.failed
	}
}
