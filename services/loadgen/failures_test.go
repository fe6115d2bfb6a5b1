package loadgen

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
)

// TestHistory_Periods gives each call by its intended start in milliseconds; a negative number is a failed call.
func TestHistory_Periods(t *testing.T) {
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	for name, c := range map[string]struct {
		calls []int
		want  []period
	}{
		"no call failed": {[]int{0, 100, 200}, nil},
		"one failed call among others in the same slot":       {[]int{0, 20, -40, 60}, []period{{ms(40), ms(40), 0, 1}}},
		"an outage ends with the first answered call":         {[]int{0, -100, -200, -300, 400}, []period{{ms(100), ms(300), ms(300), 3}}},
		"an outage without an end":                            {[]int{0, -100, -200, -300}, []period{{ms(100), ms(300), ms(200), 3}}},
		"failures a second apart are one period":              {[]int{-100, 200, -1100, 1200}, []period{{ms(100), ms(1100), ms(100), 2}}},
		"failures further apart are two periods":              {[]int{-100, 200, -1250, 1300}, []period{{ms(100), ms(100), ms(100), 1}, {ms(1250), ms(1250), ms(50), 1}}},
		"a slow load without calls in between has one period": {[]int{0, -5000, -10000, 15000}, []period{{ms(5000), ms(10000), ms(10000), 2}}},
		"calls that finish late count where they were due": {[]int{0, 400, 500, -100, -200, -300},
			[]period{{ms(100), ms(300), ms(300), 3}}},
	} {
		t.Run(name, func(t *testing.T) {
			var h history
			for _, call := range c.calls {
				h.add(ms(max(call, -call)), call < 0)
			}
			if diff := cmp.Diff(c.want, h.periods(), cmp.AllowUnexported(period{})); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestHistory_IsBounded(t *testing.T) {
	var h history
	// A failure every 2 s for three hours.
	for second := range 3 * 3600 {
		h.add(time.Duration(second)*time.Second, second%2 == 0)
	}
	if n := int64(len(h.slots)); n > maxSlots+maxSlots/8 {
		t.Errorf("%d slots are kept, want at most %d", n, maxSlots+maxSlots/8)
	}
	if n := len(h.periods()); n > maxPeriods {
		t.Errorf("%d periods, want at most %d", n, maxPeriods)
	}
	// Far too late.
	h.add(time.Second, true)
	// After a long pause.
	h.add(1000*time.Hour, true)
	if got := h.periods(); len(got) != 1 || got[0].failed != 1 {
		t.Errorf("after a pause of many hours: %v", got)
	}
}

func TestLocalRefusals_AreCountedApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		send := func(_ context.Context, n int64) error {
			open := refusal.New(codes.Unavailable, refusal.ReasonBreakerOpen, "circuit breaker is open")
			switch n % 4 {
			case 0:
				return refusal.Local(open)
			// Refused by a breaker of the callee.
			case 1:
				time.Sleep(30 * time.Millisecond)
				return status.Convert(open).Err()
			case 2:
				return refusal.Local(refusal.New(codes.ResourceExhausted, refusal.ReasonTooManyCalls, "too many"))
			}
			time.Sleep(10 * time.Millisecond)
			return nil
		}
		s := final(t, 100, send, func(*loads) { time.Sleep(time.Second - time.Millisecond) })
		if diff := cmp.Diff(map[string]int64{refusal.ReasonBreakerOpen: 25, refusal.ReasonTooManyCalls: 25}, s.GetRefused()); diff != "" {
			t.Errorf("refused (-want +got)\n%s", diff)
		}
		if diff := cmp.Diff(map[string]int64{"UNAVAILABLE": 50, "RESOURCE_EXHAUSTED": 25}, s.GetErrors()); diff != "" {
			t.Errorf("errors (-want +got)\n%s", diff)
		}
		answered, failed := decoded(t, s.GetAnsweredHistogram()), decoded(t, s.GetFailedHistogram())
		if answered.Max() > 11_000 || failed.Min() < 29_000 {
			t.Errorf("answered calls took at most %d µs, want 10000; failed ones at least %d µs, want 30000", answered.Max(), failed.Min())
		}
	})
}
