package tui

import (
	"time"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
)

// phase is how far the data of a source can be trusted. Every panel has a view for each phase.
type phase int

const (
	// loading: the first read has not returned yet.
	loading phase = iota
	ready
	// stale: newer data is overdue, and the last data is shown.
	stale
	// failed: there has never been data, and the last read failed.
	failed
	// paused: the user has paused the screen, and there is data.
	paused
)

// health is what is known about the answers of one source.
type health struct {
	// dataAt is the time that the shown data describes, or zero before the first data.
	dataAt time.Time
	// attempt is the number of failures in a row.
	attempt int
	// reason describes the last failure.
	reason string
	// staleAfter is the age from which data is stale.
	staleAfter time.Duration
}

// ok returns the health after data of a time has arrived.
func (h health) ok(at time.Time) health {
	h.dataAt, h.attempt, h.reason = at, 0, ""
	return h
}

// failed returns the health after a failure. command renders the commands in the remedies of the error.
func (h health) failed(err error, command func(args []string) string) health {
	h.attempt++
	h.reason = clean(remedy.Line(err, command))
	return h
}

// phase returns loading, ready, stale or failed.
func (h health) phase(now time.Time) phase {
	switch {
	case h.dataAt.IsZero() && h.attempt > 0:
		return failed
	case h.dataAt.IsZero():
		return loading
	case h.attempt > 0 || now.Sub(h.dataAt) > h.staleAfter:
		return stale
	default:
		return ready
	}
}

// longestWait is the longest pause between two reads, and so the time after which a source that works again is noticed.
const longestWait = 10 * time.Second

// wait is the pause before the next read: the refresh interval, doubled for each failure in a row, up to longestWait.
func (h health) wait(refresh time.Duration) time.Duration {
	d := refresh
	for range h.attempt {
		if d *= 2; d >= longestWait {
			return max(refresh, longestWait)
		}
	}
	return d
}

// missed returns how many readings are missing before one of a time. It is 0 unless the data has become stale.
func (h health) missed(at time.Time, refresh time.Duration) int {
	apart := at.Sub(h.dataAt)
	if h.dataAt.IsZero() || apart <= h.staleAfter {
		return 0
	}
	return int(min(apart/refresh-1, remembered))
}
