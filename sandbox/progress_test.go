package sandbox

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestRecorder_RecordsAndReportsSteps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failed := errors.New("broken")
		var observed []Progress
		var r *recorder
		r = newRecorder(func(p Progress) {
			if !r.mu.TryLock() {
				t.Fatal("the observer is called under the recorder's lock, and would wait for ever if it asked something")
			}
			r.mu.Unlock()
			observed = append(observed, p)
		})
		err := r.step(t.Context(), "one", func(_ context.Context, doing func(string)) error {
			// This is the fake clock of the test.
			<-time.After(2 * time.Second)
			doing("half")
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		r.note("one", "by the way")
		if err := r.step(t.Context(), "two", func(context.Context, func(string)) error { <-time.After(time.Second); return failed }); !errors.Is(err, failed) {
			t.Errorf("the step's error is lost: %v", err)
		}
		rows := []Took{{Step: "one", Start: 0, Took: 2 * time.Second}, {Step: "two", Start: 2 * time.Second, Took: time.Second}}
		if diff := cmp.Diff(rows, r.table()); diff != "" {
			t.Errorf("rows (-want +got):\n%s", diff)
		}
		want := []Progress{
			{Step: "one"}, {Step: "one", Doing: "half"}, {Step: "one", Done: true, Took: 2 * time.Second}, {Step: "one", Note: "by the way"},
			{Step: "two"}, {Step: "two", Done: true, Err: failed, Took: time.Second},
		}
		if !reflect.DeepEqual(want, observed) {
			t.Errorf("observed %+v, want %+v", observed, want)
		}
		r.table()[0].Step = "changed"
		if r.table()[0].Step != "one" {
			t.Error("a reader may change the recorder's rows")
		}
		if err := newRecorder(nil).step(t.Context(), "unheard", func(_ context.Context, doing func(string)) error { doing("x"); return nil }); err != nil {
			t.Errorf("without an observer: %v", err)
		}
	})
}

func TestRecorderOwn_ExcludesOverlappingWaitsOnce(t *testing.T) {
	const s = time.Second
	for _, row := range []struct {
		sentence string
		waits    []Took
		total    time.Duration
		own      time.Duration
	}{
		{"without waits", nil, 10 * s, 10 * s},
		{"one wait is subtracted", []Took{{Start: 2 * s, Took: 3 * s}}, 10 * s, 7 * s},
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

func TestRecorderWaiting_TimesAndReturnsTheError(t *testing.T) {
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
