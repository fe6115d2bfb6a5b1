package fault

import (
	"testing"

	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// Without an entry in kinds, a fault would be accepted and have no effect.
func TestKinds_EveryKindOfTheProto(t *testing.T) {
	members := (&policyv1.Fault{}).ProtoReflect().Descriptor().Oneofs().ByName("kind").Fields()
	for i := range members.Len() {
		p := &policyv1.Fault{}
		p.ProtoReflect().Mutable(members.Get(i))
		if f := prepare(p); f.effect == nil || f.Kind != members.Get(i).JSONName() {
			t.Errorf("kind %s: got %+v", members.Get(i).Name(), f)
		}
	}
	if members.Len() != len(kinds()) {
		t.Errorf("%d kinds, and %d in the proto", len(kinds()), members.Len())
	}
}
