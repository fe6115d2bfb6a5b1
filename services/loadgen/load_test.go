package loadgen

import (
	"context"
	"maps"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	hdr "github.com/HdrHistogram/hdrhistogram-go"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/loadgen/loadgenv1"
)

// final starts a load, runs during, stops the load and returns its last statistics.
func final(t *testing.T, rate Pace, send call, during func(*loads)) *loadgenv1.LoadStats {
	t.Helper()
	s := newLoads(prometheus.NewRegistry())
	if _, err := s.start("l", "t", "m", rate, send); err != nil {
		t.Fatal(err)
	}
	// The series stay as long as a load uses them.
	if _, err := s.start("other/l", "t", "m", 0, send); err != nil {
		t.Fatal(err)
	}
	during(s)
	l, err := s.stop(t.Context(), "l")
	if err != nil {
		t.Fatal(err)
	}
	s.close()
	stats, err := l.stats()
	if err != nil {
		t.Fatal(err)
	}
	addsUp(t, stats)
	if got := count(t, s.intended.WithLabelValues("l")); got != stats.GetIntended() {
		t.Errorf("the metric has %d intended arrivals, want %d", got, stats.GetIntended())
	}
	codes := map[string]int64{"OK": stats.GetOk()}
	maps.Copy(codes, stats.GetErrors())
	for code, want := range codes {
		if got := count(t, s.calls.WithLabelValues("l", code)); got != want {
			t.Errorf("the metric has %d calls with %s, want %d", got, code, want)
		}
	}
	return stats
}

func count(t *testing.T, c prometheus.Counter) int64 {
	t.Helper()
	var m dto.Metric
	if err := c.Write(&m); err != nil {
		t.Fatal(err)
	}
	return int64(m.GetCounter().GetValue())
}

// addsUp checks the sums that the proto promises for a load without calls in flight.
func addsUp(t *testing.T, s *loadgenv1.LoadStats) {
	t.Helper()
	var failed int64
	for code, n := range s.GetErrors() {
		if code != Overloaded {
			failed += n
		}
	}
	if s.GetIntended() != s.GetSent()+s.GetErrors()[Overloaded] || s.GetSent() != s.GetOk()+failed {
		t.Errorf("the numbers do not add up: %v", s)
	}
	if got := latencies(t, s).TotalCount(); got != s.GetSent() {
		t.Errorf("%d latencies for %d calls", got, s.GetSent())
	}
	var refused int64
	for _, n := range s.GetRefused() {
		refused += n
	}
	answered, left := decoded(t, s.GetAnsweredHistogram()).TotalCount(), decoded(t, s.GetFailedHistogram()).TotalCount()
	if answered != s.GetOk() || left != failed-refused {
		t.Errorf("%d and %d latencies for %d answered calls and %d failed ones that left", answered, left, s.GetOk(), failed-refused)
	}
	var dated int64
	for _, p := range s.GetFailures() {
		dated += p.GetFailed()
	}
	if dated != failed {
		t.Errorf("%d of %d failed calls are in failure periods", dated, failed)
	}
}

func latencies(t *testing.T, s *loadgenv1.LoadStats) *hdr.Histogram {
	t.Helper()
	return decoded(t, s.GetLatencyHistogram())
}

func decoded(t *testing.T, histogram []byte) *hdr.Histogram {
	t.Helper()
	h, err := hdr.Decode(histogram)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func answering(after time.Duration, code func(n int64) codes.Code) call {
	return func(_ context.Context, n int64) error {
		time.Sleep(after)
		return status.Error(code(n), "chosen")
	}
}

func always(code codes.Code) func(int64) codes.Code { return func(int64) codes.Code { return code } }

func TestLoad_Counts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		send := answering(20*time.Millisecond, func(n int64) codes.Code {
			return map[int64]codes.Code{0: codes.Unavailable, 1: codes.NotFound}[n%10]
		})
		s := final(t, 100, send, func(*loads) { time.Sleep(10*time.Second - time.Millisecond) })
		if s.GetIntended() != 1000 || s.GetOk() != 800 || s.GetErrors()["UNAVAILABLE"] != 100 || s.GetErrors()["NOT_FOUND"] != 100 {
			t.Errorf("got %v", s)
		}
		if got := latencies(t, s).ValueAtQuantile(50); got < 19980 || got > 20020 {
			t.Errorf("the median is %d µs, want 20000", got)
		}
	})
}

func TestLoad_OpenModel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := final(t, 10, answering(5*time.Second, always(codes.OK)), func(*loads) { time.Sleep(2050 * time.Millisecond) })
		if s.GetIntended() != 21 || s.GetSent() != 21 || s.GetOk() != 21 {
			t.Errorf("got %v; stopping must wait for calls in flight", s)
		}
	})
}

func TestLoad_LatencyFromIntendedStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newLoads(prometheus.NewRegistry())
		l := newLoad("l", 1, answering(0, always(codes.OK)),
			newTally(time.Now(), s.intended.WithLabelValues("l"), s.calls.MustCurryWith(prometheus.Labels{"load": "l"})))
		var inFlight sync.WaitGroup
		// Due three seconds ago, as after a pause of the machine.
		l.arrive(t.Context(), &inFlight, 0, time.Now().Add(-3*time.Second))
		inFlight.Wait()
		if got := l.tally.latency.Max(); got < 2_990_000 {
			t.Errorf("the latency is %d µs, want 3 s", got)
		}
	})
}

func TestLoad_MaxInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := final(t, 10000, answering(time.Minute, always(codes.OK)), func(*loads) { time.Sleep(time.Second - time.Microsecond) })
		if s.GetIntended() != 10000 || s.GetSent() != maxInFlight || s.GetErrors()[Overloaded] != 10000-maxInFlight {
			t.Errorf("intended %d, sent %d, errors %v", s.GetIntended(), s.GetSent(), s.GetErrors())
		}
	})
}

func TestLoad_SetRate(t *testing.T) {
	for _, c := range []struct {
		name string
		// Each rate lasts ten seconds, the first one 55 ms longer and the last one 1 ms less, so that no change coincides with an arrival.
		rates []Pace
		want  int64
	}{
		{"faster", []Pace{10, 100}, 1101},
		{"slower", []Pace{100, 10}, 1106},
		{"setting the same rate adds nothing", []Pace{10, 10, 10}, 301},
		{"a pause is not made up for", []Pace{10, 0, 10}, 201},
		{"from 0", []Pace{0, 10}, 100},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := final(t, c.rates[0], answering(0, always(codes.OK)), func(s *loads) {
					time.Sleep(55 * time.Millisecond)
					for i, rate := range c.rates {
						if i > 0 {
							s.running["l"].setRate(rate)
						}
						length := 10 * time.Second
						if i == len(c.rates)-1 {
							length -= time.Millisecond
						}
						time.Sleep(length)
					}
				})
				if got := s.GetIntended(); got != c.want {
					t.Errorf("%d arrivals, want %d", got, c.want)
				}
			})
		})
	}
}

func TestStats_Subtraction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		final(t, 100, answering(0, always(codes.OK)), func(s *loads) {
			time.Sleep(time.Second + time.Millisecond)
			synctest.Wait()
			first, err := s.running["l"].stats()
			if err != nil {
				t.Fatal(err)
			}
			addsUp(t, first)
			time.Sleep(time.Second)
			synctest.Wait()
			second, err := s.running["l"].stats()
			if err != nil {
				t.Fatal(err)
			}
			if got := second.GetOk() - first.GetOk(); got != 100 {
				t.Errorf("%d calls in between, want 100", got)
			}
			if got := latencies(t, second).TotalCount() - latencies(t, first).TotalCount(); got != 100 {
				t.Errorf("%d latencies in between, want 100", got)
			}
		})
	})
}
