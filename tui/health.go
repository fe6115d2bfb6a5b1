package tui

import (
	"time"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
)

// phase is how far the data can be trusted; every panel has a view for each.
type phase int

const (
	loading phase = iota // nothing asked for has arrived yet
	ready
	stale  // the last data is shown, but newer data is overdue
	failed // there has never been any data, and asking for it fails
	paused // the user froze the screen, and there is data
)

// health is what is known about one source.
type health struct {
	dataAt     time.Time // when the shown data was true; zero before the first
	attempt    int       // failures in a row
	reason     string    // of the last failure
	staleAfter time.Duration
}

func (h health) ok(at time.Time) health {
	h.dataAt, h.attempt, h.reason = at, 0, ""
	return h
}

// failed notes a failure. command renders what the error's remedies say to run.
func (h health) failed(err error, command func(args []string) string) health {
	h.attempt++
	reason := err.Error()
	for _, r := range remedy.Of(err) {
		reason += "; try: " + r.Text(command)
	}
	h.reason = clean(reason)
	return h
}

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

// longestWait bounds how long a source that came back goes unnoticed.
const longestWait = 10 * time.Second

// wait is the pause before the next read: the refresh interval, doubled by every failure in a row, up to longestWait.
func (h health) wait(refresh time.Duration) time.Duration {
	d := refresh
	for range h.attempt {
		if d *= 2; d >= longestWait {
			return max(refresh, longestWait)
		}
	}
	return d
}

// missed is how many answers are missing before the one of a moment, when they are so many that the data was stale.
func (h health) missed(at time.Time, refresh time.Duration) int {
	apart := at.Sub(h.dataAt)
	if h.dataAt.IsZero() || apart <= h.staleAfter {
		return 0
	}
	return int(min(apart/refresh-1, remembered))
}
