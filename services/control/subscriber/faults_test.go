package subscriber

import (
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

func TestFaults_EndInTheProcess(t *testing.T) {
	start := time.Unix(1000, 0)
	at := func(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }
	leased := &policyv1.Fault{Name: "shop/leased", Uid: "a", LeaseTime: durationpb.New(10 * time.Second)}
	timed := &policyv1.Fault{Name: "shop/timed", Uid: "b", Duration: durationpb.New(30 * time.Second)}
	both := &policyv1.EffectivePolicy{ServerFaults: []*policyv1.Fault{leased}, ClientFaults: []*policyv1.Fault{timed}}
	f := newFaults()
	step := func(seconds int, p *policyv1.EffectivePolicy, kept int, newly string, next int) {
		t.Helper()
		got, ended, soonest := f.filter(p, at(seconds))
		if n := len(got.GetServerFaults()) + len(got.GetClientFaults()); n != kept {
			t.Errorf("after %d s: %d faults, want %d", seconds, n, kept)
		}
		if len(ended) > 1 || len(ended) == 1 && ended[0].name != newly || len(ended) == 0 && newly != "" {
			t.Errorf("after %d s: ended %v, want %q", seconds, ended, newly)
		}
		if next == 0 && !soonest.IsZero() || next != 0 && !soonest.Equal(at(next)) {
			t.Errorf("after %d s: the next one ends at %s, want %s", seconds, soonest, at(next))
		}
	}
	step(0, both, 2, "", 10)
	f.beat([]string{"a", "unknown"}, at(8))
	step(9, both, 2, "", 18)
	// The same policy is pushed again, for example by a restarted control plane. It does not renew the lease.
	step(17, both, 2, "", 18)
	step(18, both, 1, "shop/leased", 30)
	f.beat([]string{"a"}, at(19))
	step(19, both, 1, "", 30)
	// A duration is not renewed by a heartbeat.
	f.beat([]string{"b"}, at(29))
	step(30, both, 0, "shop/timed", 0)
	// Without them, and with them again: they stay ended.
	step(40, &policyv1.EffectivePolicy{}, 0, "", 0)
	step(41, both, 0, "", 0)
	// A later fault of the same name is another one.
	again := &policyv1.EffectivePolicy{ServerFaults: []*policyv1.Fault{{Name: "shop/leased", Uid: "c", LeaseTime: durationpb.New(10 * time.Second)}}}
	step(50, again, 1, "", 60)
	if len(both.GetServerFaults()) != 1 || len(both.GetClientFaults()) != 1 {
		t.Error("the pushed policy was changed")
	}
	// After an hour they are forgotten.
	f.filter(&policyv1.EffectivePolicy{}, at(4000))
	if len(f.known) != 0 {
		t.Errorf("%d faults are remembered", len(f.known))
	}
}

func TestUnknownFields_OfALaterVersion(t *testing.T) {
	p := &policyv1.EffectivePolicy{Server: []*policyv1.ServerRule{{Method: "a.B/C", Bulkhead: &policyv1.Bulkhead{MaxConcurrent: 1}}},
		ServerFaults: []*policyv1.Fault{{Metadata: map[string]string{"a": "b"}}}}
	if got := unknownFields(p.ProtoReflect()); got != "" {
		t.Errorf("a known policy: %q", got)
	}
	// Field 1000 with the number 1.
	p.Server[0].Bulkhead.ProtoReflect().SetUnknown([]byte{0xc0, 0x3e, 0x01})
	if got := unknownFields(p.ProtoReflect()); got != "policy.v1.Bulkhead" {
		t.Errorf("got %q", got)
	}
}

func TestConfigFromEnv_Address(t *testing.T) {
	for text, ok := range map[string]bool{"": true, "control.sandbox-system.svc:8443": true, "control": false} {
		cfg, err := ConfigFromEnv(func(string) string { return text })
		if (err == nil) != ok || ok && cfg.Addr != text {
			t.Errorf("%q: %+v, %v", text, cfg, err)
		}
	}
}
