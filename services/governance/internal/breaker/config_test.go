package breaker

import (
	"math"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

func TestConfig_MaxConcurrentOfPolicy(t *testing.T) {
	for _, c := range []struct {
		sentence string
		policy   *policyv1.Breaker
		want     int64
	}{
		{"no policy", nil, 50},
		{"unset", &policyv1.Breaker{}, 50},
		{"a limit", &policyv1.Breaker{MaxConcurrent: proto.Uint32(7)}, 7},
		{"0 means no limit", &policyv1.Breaker{MaxConcurrent: proto.Uint32(0)}, math.MaxInt64},
	} {
		if got := (Config{MaxConcurrent: 50}).WithPolicy(c.policy).withDefaults().MaxConcurrent; got != c.want {
			t.Errorf("%s: %d calls, want %d", c.sentence, got, c.want)
		}
	}
	if got := (Config{MaxConcurrent: -1, MaxStreams: -1}).withDefaults(); got.MaxConcurrent != math.MaxInt64 || got.MaxStreams != math.MaxInt64 {
		t.Errorf("%d calls and %d streams without a limit", got.MaxConcurrent, got.MaxStreams)
	}
}
