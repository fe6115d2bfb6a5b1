package livez

import (
	"net/http/httptest"
	"testing"
	"time"
	"unsafe"

	"k8s.io/utils/clock"
)

// sleeper is a clock whose two readings can be moved apart, as a sleeping laptop does.
type sleeper struct {
	clock.RealClock
	start time.Time
	// The times that have passed since start.
	awake, asleep time.Duration
}

func (s *sleeper) Now() time.Time {
	now := s.start.Add(s.awake + s.asleep)
	// Add moves both readings. The monotonic one is the second word of a time.Time, in nanoseconds.
	(*struct {
		wall uint64
		ext  int64
	})(unsafe.Pointer(&now)).ext -= int64(s.asleep)
	return now
}

func TestHandler_FailsAfterTheMachineSlept(t *testing.T) {
	for _, c := range []struct {
		name          string
		awake, asleep time.Duration
		want          int
	}{
		{"just started", 0, 0, 200},
		{"a long time awake", 100 * time.Hour, 0, 200},
		{"a clock that was adjusted by a minute", time.Hour, time.Minute, 200},
		{"a clock that was set back by a minute", time.Hour, -time.Minute, 200},
		{"a night asleep", time.Hour, 8 * time.Hour, 500},
		{"six minutes asleep", time.Hour, 6 * time.Minute, 500},
		{"a clock that was set back by an hour", 2 * time.Hour, -time.Hour, 500},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &sleeper{start: time.Now()}
			handler := Handler(s)
			s.awake, s.asleep = c.awake, c.asleep
			if got := s.Now().Sub(s.start); got != c.awake {
				t.Fatalf("the clock's monotonic reading moved by %s, want %s", got, c.awake)
			}
			answer := httptest.NewRecorder()
			handler.ServeHTTP(answer, httptest.NewRequest("GET", "/livez", nil))
			if answer.Code != c.want {
				t.Errorf("status %d, want %d: %s", answer.Code, c.want, answer.Body)
			}
		})
	}
}
