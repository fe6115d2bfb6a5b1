package subscriber

import (
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// faults decides which of the pushed faults are injected. A fault ends in this process when its duration is over or its lease has ended, even if
// the control plane can no longer be reached. It does not start again: a later fault of the same name has another uid.
type faults struct {
	known map[string]*faultLife
}

type faultLife struct {
	// until is when the duration ends, leased when the lease does; zero for no end.
	until, leased time.Time
	leaseTime     time.Duration
	// over is why the fault has ended, since when; empty while it lasts.
	over  string
	since time.Time
}

// remembered is how long a process remembers a fault that it has ended. Until then, it does not start again, for example because the control
// plane was restarted. No fault of the control plane lasts longer.
const remembered = time.Hour

// The reasons for which a process ends a fault.
const (
	durationOver = "its duration is over"
	leaseOver    = "its lease was not renewed"
)

func newFaults() *faults { return &faults{known: map[string]*faultLife{}} }

// beat renews the leases of faults, by uid.
func (f *faults) beat(uids []string, now time.Time) {
	for _, uid := range uids {
		if life := f.known[uid]; life != nil && life.leaseTime > 0 {
			life.leased = now.Add(life.leaseTime)
		}
	}
}

// ended is a fault that this process has ended.
type ended struct{ name, why string }

// filter returns the policy without the faults that have ended, those that have ended since the last call, and when the next one ends; zero for
// never.
func (f *faults) filter(p *policyv1.EffectivePolicy, now time.Time) (kept *policyv1.EffectivePolicy, newly []ended, next time.Time) {
	kept = proto.CloneOf(p)
	present := map[string]bool{}
	dead := func(fault *policyv1.Fault) bool {
		uid := fault.GetUid()
		present[uid] = true
		life := f.known[uid]
		if life == nil {
			life = lifeOf(fault, now)
			f.known[uid] = life
		}
		if life.over == "" {
			if life.over = life.reason(now); life.over != "" {
				life.since = now
				newly = append(newly, ended{fault.GetName(), life.over})
			}
		}
		if life.over != "" {
			return true
		}
		for _, end := range []time.Time{life.until, life.leased} {
			if !end.IsZero() && (next.IsZero() || end.Before(next)) {
				next = end
			}
		}
		return false
	}
	kept.ServerFaults = slices.DeleteFunc(kept.ServerFaults, dead)
	kept.ClientFaults = slices.DeleteFunc(kept.ClientFaults, dead)
	for uid, life := range f.known {
		if !present[uid] && (life.over == "" || now.Sub(life.since) > remembered) {
			delete(f.known, uid)
		}
	}
	return kept, newly, next
}

func lifeOf(fault *policyv1.Fault, now time.Time) *faultLife {
	life := &faultLife{}
	if d := fault.GetDuration(); d != nil {
		life.until = now.Add(d.AsDuration())
	}
	if d := fault.GetLeaseTime(); d != nil {
		life.leaseTime = d.AsDuration()
		life.leased = now.Add(life.leaseTime)
	}
	return life
}

func (l *faultLife) reason(now time.Time) string {
	switch {
	case !l.until.IsZero() && !now.Before(l.until):
		return durationOver
	case !l.leased.IsZero() && !now.Before(l.leased):
		return leaseOver
	default:
		return ""
	}
}
