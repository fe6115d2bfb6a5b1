package governance

import (
	"runtime"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/balancer"

	"github.com/grpc-sandbox/sandbox/services/governance/internal/outlier"
)

// TestAttempt_HedgePicksWhileFirstIsLost checks, also under the race detector, that a hedge which picks while the connection of the first attempt is lost
// does not take its place before the first attempt has given back its trial.
func TestAttempt_HedgePicksWhileFirstIsLost(t *testing.T) {
	client := newClient(ClientConfig{Callee: "callee", Log: quiet}.withDefaults())
	var now time.Duration
	set := outlier.NewSet(func() time.Duration { return now }, func(outlier.Change) {})
	set.Keep([]string{"bad", "good"})
	bad, good := set.Of("bad"), set.Of("good")
	for range 5 {
		bad.Done(bad.Admit(), outlier.Failure)
	}
	for n := range 1000 {
		now += time.Minute
		if bad.Admit() != outlier.Trial {
			t.Fatalf("call %d: the trial of an earlier call was not given back", n)
		}
		call := client.begin(t.Context(), "/"+unaryMethod, unaryKind)
		var first, hedge balancer.PickResult
		call.attempt(t.Context(), &first, choice{endpoint: bad, admission: outlier.Trial})
		var both sync.WaitGroup
		both.Go(func() { first.Done(balancer.DoneInfo{}) })
		both.Go(func() {
			for call.attempts.Load() != 0 {
				runtime.Gosched()
			}
			call.attempt(t.Context(), &hedge, choice{endpoint: good, admission: outlier.Admitted})
		})
		both.Wait()
		if !bad.Due() {
			t.Fatalf("call %d: the trial was not given back", n)
		}
		call.end(nil)
	}
}
