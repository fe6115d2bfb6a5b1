package throttle

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/failsafe-go/failsafe-go/adaptivethrottler"
)

func TestConfig_RefusedShare(t *testing.T) {
	for _, c := range []struct {
		sentence   string
		cfg        Config
		ok, failed uint32
		want       float64
	}{
		{"nothing failed", Config{}, 100, 0, 0},
		{"a quarter of the calls failed", Config{}, 75, 25, 0},
		{"half of the calls failed", Config{}, 60, 60, 40. / 121},
		{"all failed", Config{MaxRefused: 1}, 0, 99, 0.99},
		{"all failed, and some calls must be sent", Config{}, 0, 99, 0.9},
		{"fewer calls than MinCalls", Config{}, 0, 19, 0},
		{"as many calls as MinCalls", Config{MaxRefused: 1}, 0, 20, 20. / 21},
		{"a higher ratio", Config{FailureRatio: 0.5}, 40, 60, 20. / 101},
	} {
		if got := c.cfg.withDefaults().refusedShare(c.ok, c.failed); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("%s: %v, want %v", c.sentence, got, c.want)
		}
	}
}

// TestConfig_RefusedShareOfFailsafe compares the share with that of failsafe-go, which has the same formula.
func TestConfig_RefusedShareOfFailsafe(t *testing.T) {
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 7))
		cfg := Config{FailureRatio: 0.1 + 0.8*random.Float64(), MinCalls: uint32(1 + random.IntN(20)), Window: time.Hour, MaxRefused: random.Float64()}
		theirs := adaptivethrottler.NewBuilder[any]().WithFailureRateThreshold(cfg.FailureRatio, uint(cfg.MinCalls), cfg.Window).WithMaxRejectionRate(cfg.MaxRefused).Build()
		var ok, failed uint32
		for range random.IntN(200) {
			if random.IntN(2) == 0 {
				theirs.RecordSuccess()
				ok++
			} else {
				theirs.RecordFailure()
				failed++
			}
		}
		theirs.TryAcquirePermit()
		if got, want := cfg.refusedShare(ok, failed), theirs.RejectionRate(); math.Abs(got-want) > 1e-9 {
			t.Fatalf("seed %d: %d successes and %d failures: %v, and failsafe-go refuses %v", seed, ok, failed, got, want)
		}
	}
}

// rig is a Throttle with a clock and a callee that answers a number of calls in each second, and fails the others.
type rig struct {
	*Throttle
	clock    time.Duration
	capacity int
}

func newRig(cfg Config) *rig {
	r := &rig{capacity: math.MaxInt}
	random := rand.New(rand.NewPCG(1, 7))
	r.Throttle = New(cfg, func() time.Duration { return r.clock }, random.Float64)
	return r
}

// offer makes calls for some seconds. It returns how many were sent and answered in the last one.
func (r *rig) offer(rate, seconds int) (sent, answered int) {
	for range seconds {
		sent, answered = 0, 0
		for range rate {
			r.clock += time.Second / time.Duration(rate)
			if _, allowed := r.Allow(); !allowed {
				continue
			}
			sent++
			if sent <= r.capacity {
				answered++
			}
			r.Done(sent <= r.capacity)
		}
	}
	return sent, answered
}

func TestThrottle_Overload(t *testing.T) {
	for _, c := range []struct {
		sentence       string
		cfg            Config
		capacity, rate int
		// sent is the root of capacity * rate / (1 - FailureRatio), where the share that is refused and the share that fails fit together.
		sent int
	}{
		{"no overload", Config{}, 100, 100, 100},
		{"a small overload, of which less than a quarter fails", Config{}, 100, 130, 130},
		{"four times as many calls as the callee can answer", Config{}, 100, 400, 231},
		{"ten times as many", Config{}, 100, 1000, 365},
		{"ten times as many, and a higher ratio", Config{FailureRatio: 0.5}, 100, 1000, 447},
		{"an outage", Config{}, 0, 1000, 100},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			r := newRig(c.cfg)
			r.capacity = c.capacity
			sent, answered := r.offer(c.rate, 60)
			if math.Abs(float64(sent-c.sent)) > 0.2*float64(c.sent) || answered != min(sent, c.capacity) {
				t.Errorf("%d of %d calls a second are sent and %d answered, want %d and %d", sent, c.rate, answered, c.sent, c.capacity)
			}
		})
	}
}

func TestThrottle_Recovery(t *testing.T) {
	r := newRig(Config{})
	r.capacity = 0
	r.offer(1000, 30)
	r.capacity = math.MaxInt
	if sent, _ := r.offer(1000, 12); sent != 1000 {
		t.Errorf("%d of 1000 calls a second are sent 12 s after the outage", sent)
	}
	r.capacity = 0
	r.offer(1000, 30)
	r.clock += 10 * time.Second
	if share, _ := r.Allow(); share != 0 {
		t.Errorf("after a window without calls a share of %v is refused", share)
	}
}

func TestThrottle_NewSettingsKeepCounts(t *testing.T) {
	r := newRig(Config{FailureRatio: 0.9})
	for range 15 {
		r.Done(true)
		r.Done(false)
	}
	if share, _ := r.Allow(); share != 0 {
		t.Errorf("a share of %v is refused below the ratio", share)
	}
	r.Configure(Config{FailureRatio: 0.2, Window: time.Minute})
	if share, _ := r.Allow(); math.Abs(share-(30-15/0.8)/31) > 1e-9 {
		t.Errorf("under the new ratio a share of %v is refused", share)
	}
}
