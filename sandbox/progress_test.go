package sandbox

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestOwnTimeLeavesOutEveryWaitOnce(t *testing.T) {
	const s = time.Second
	for _, row := range []struct {
		sentence string
		waits    []Took
		total    time.Duration
		own      time.Duration
	}{
		{"without waits all is its own", nil, 10 * s, 10 * s},
		{"one wait is taken away", []Took{{Start: 2 * s, Took: 3 * s}}, 10 * s, 7 * s},
		{"waits at the same time count once", []Took{{Start: 4 * s, Took: 4 * s}, {Start: 2 * s, Took: 3 * s}}, 10 * s, 4 * s},
		{"a wait inside another adds nothing", []Took{{Start: 1 * s, Took: 8 * s}, {Start: 2 * s, Took: 1 * s}, {Start: 3 * s, Took: 2 * s}}, 10 * s, 2 * s},
		{"a wait does not count beyond the end", []Took{{Start: 8 * s, Took: 5 * s}}, 10 * s, 8 * s},
	} {
		r := newRecorder(nil)
		r.waits = row.waits
		if got := r.own(row.total); got != row.own {
			t.Errorf("%s: %s, want %s", row.sentence, got, row.own)
		}
	}
}

func TestWaitingIsTimedAndItsErrorKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRecorder(nil)
		time.Sleep(time.Second)
		want := errors.New("not ready")
		err := r.waiting(func() error {
			time.Sleep(3 * time.Second)
			return want
		})
		if !errors.Is(err, want) || r.own(5*time.Second) != 2*time.Second {
			t.Errorf("%v, own time %s; want %v, 2 s", err, r.own(5*time.Second), want)
		}
	})
}
