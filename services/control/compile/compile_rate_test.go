package compile

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// TestWorkloadRate_AdmitsTheLimit gives random arrivals to the token buckets of three pods.
func TestWorkloadRate_AdmitsTheLimit(t *testing.T) {
	for _, c := range []struct{ limit, offered float64 }{{50, 200}, {50, 120}, {5, 20}, {1000, 2000}} {
		t.Run(fmt.Sprintf("%g of %g calls/s", c.limit, c.offered), func(t *testing.T) {
			const pods = 3
			random := rand.New(rand.NewPCG(1, 2))
			share := workloadRate(c.limit, pods).GetLimits()[0].GetAlgorithm().(*policyv1.RateLimit_TokenBucket).TokenBucket
			tokens, last, now, admitted, window := [pods]float64{}, [pods]float64{}, 0.0, 0.0, -1
			for now < 102 {
				now += random.ExpFloat64() / c.offered
				pod := random.IntN(pods)
				tokens[pod] = min(float64(share.GetBurst()), tokens[pod]+share.GetRate()*(now-last[pod]))
				last[pod] = now
				// The first 2 s do not count. Then each window of 10 s does.
				if next := int(math.Floor((now - 2) / 10)); next != window {
					if got := admitted / 10; window >= 0 && math.Abs(got-c.limit) > c.limit*0.03+0.3 {
						t.Errorf("window %d: %.1f calls/s", window, got)
					}
					window, admitted = next, 0
				}
				if tokens[pod] >= 1 {
					tokens[pod]--
					admitted++
				}
			}
		})
	}
}
