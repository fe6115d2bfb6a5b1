package limit

import (
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// inForce returns a function that returns the policy.
func inForce(p *policyv1.Shed) func() *policyv1.Shed { return func() *policyv1.Shed { return p } }

func TestShed_LimitKeptAcrossPolicies(t *testing.T) {
	s := Shedder{OnLimit: func(float64) {}}
	follow := func(p *policyv1.Shed) *Shedding { return s.Follow(inForce(p)) }
	first := follow(&policyv1.Shed{InitialLimit: proto.Uint32(50)})
	if again := follow(&policyv1.Shed{InitialLimit: proto.Uint32(50)}); again != first {
		t.Error("the same policy made another limiter")
	}
	if next := follow(&policyv1.Shed{InitialLimit: proto.Uint32(20), MaxLimit: proto.Uint32(300)}); next.limiter.Limit() != 50 {
		t.Errorf("other bounds start at %d, not at the learned limit", next.limiter.Limit())
	}
	if next := follow(&policyv1.Shed{MaxLimit: proto.Uint32(30)}); next.limiter.Limit() != 30 {
		t.Errorf("a lower bound starts at %d", next.limiter.Limit())
	}
}

func TestShed_ConcurrentFirstCalls(t *testing.T) {
	for range 50 {
		s, policy := Shedder{OnLimit: func(float64) {}}, inForce(&policyv1.Shed{})
		got := make([]*Shedding, 16)
		start := make(chan struct{})
		var calls sync.WaitGroup
		for i := range got {
			calls.Go(func() {
				<-start
				got[i] = s.Follow(policy)
			})
		}
		close(start)
		calls.Wait()
		for _, one := range got {
			if one != got[0] {
				t.Fatal("concurrent first calls use different limiters")
			}
		}
	}
}
