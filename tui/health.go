package tui

import (
	"fmt"
	"time"
)

// phase is how far the data can be trusted; every panel has a view for each.
type phase int

const (
	loading phase = iota // nothing asked for has arrived yet
	ready
	stale  // the last data is shown, but newer data is overdue
	failed // there has never been any data, and asking for it fails
	paused // the user froze the screen
)

// health is what is known about the feed.
type health struct {
	dataAt     time.Time // when the shown data was true; zero before the first
	attempt    int       // failures in a row
	reason     string    // of the last failure
	paused     bool
	staleAfter time.Duration
}

func (h health) ok(at time.Time) health {
	h.dataAt, h.attempt, h.reason = at, 0, ""
	return h
}

func (h health) failed(err error) health {
	h.attempt++
	h.reason = clean(err.Error())
	return h
}

func (h health) phase(now time.Time) phase {
	switch {
	case h.dataAt.IsZero() && h.attempt > 0:
		return failed
	case h.dataAt.IsZero():
		return loading
	case h.paused:
		return paused
	case h.attempt > 0 || now.Sub(h.dataAt) > h.staleAfter:
		return stale
	default:
		return ready
	}
}

// age is how old the shown data is.
func (h health) age(now time.Time) string { return age(now.Sub(h.dataAt)) }

// retrying says what the screen is doing about missing data, and why it is missing.
func (h health) retrying() string {
	if h.attempt == 0 {
		return "waiting for the feed"
	}
	return fmt.Sprintf("reconnecting (attempt %d): %s", h.attempt, h.reason)
}

// longestWait bounds how long a feed that came back goes unnoticed.
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
