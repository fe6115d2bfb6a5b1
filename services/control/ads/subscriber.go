package ads

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/grpc-sandbox/sandbox/services/control/compile"
)

// TypeURL is the type of the only resource that a process requests, whose name is namespace/pod.
const TypeURL = "type.googleapis.com/policy.v1.EffectivePolicy"

// stream is one connection of a process.
type stream struct {
	identity Identity
	// name is the name of the resource; empty before the first request.
	name     string
	process  compile.Process
	since    time.Time
	compiled compile.Compiled
	// sent has the versions of the responses that are not acknowledged yet, by nonce.
	sent map[string]string
	// last is the version that was sent last, acknowledged the one that the process enforces.
	last, acknowledged string
	acknowledgedAny    bool
	rejectedVersion    string
	rejected           string
}

// State is what a process has acknowledged.
type State struct {
	compile.Process
	// Since is when it connected.
	Since time.Time
	// Sent is the version that was sent last. Acknowledged is the one that the process enforces, if AcknowledgedAny.
	Sent, Acknowledged string
	AcknowledgedAny    bool
	// Rejected is why the process could not apply RejectedVersion; empty if it could apply the last one.
	Rejected, RejectedVersion string
}

// Subscriber is a process that receives its policy, compared with what it should enforce.
type Subscriber struct {
	State
	// Compiled is what it should enforce.
	Compiled compile.Compiled
	// Rejected is why the process could not apply Compiled; empty if it could.
	Rejected string
	// InForce means that the process enforces Compiled.
	InForce bool
}

// Compare returns the state of a process compared with what it should enforce.
func (s State) Compare(compiled compile.Compiled) Subscriber {
	want := compiled.Policy.GetVersion()
	sub := Subscriber{State: s, Compiled: compiled, InForce: s.AcknowledgedAny && s.Acknowledged == want}
	if s.Rejected != "" && s.RejectedVersion == want {
		sub.Rejected = s.Rejected
	}
	return sub
}

// Subscribers returns the connected processes, sorted by namespace and pod. A process with several connections has the newest of them.
func (s *Server) Subscribers() []Subscriber {
	s.mu.Lock()
	defer s.mu.Unlock()
	newest := map[string]*stream{}
	for _, st := range s.streams {
		if st.name != "" && (newest[st.name] == nil || newest[st.name].since.Before(st.since)) {
			newest[st.name] = st
		}
	}
	all := make([]Subscriber, 0, len(newest))
	for _, st := range newest {
		state := State{Process: st.process, Since: st.since, Sent: st.last, Acknowledged: st.acknowledged, AcknowledgedAny: st.acknowledgedAny,
			Rejected: st.rejected, RejectedVersion: st.rejectedVersion}
		all = append(all, state.Compare(st.compiled))
	}
	Sort(all)
	return all
}

// Sort sorts subscribers by namespace and pod.
func Sort(all []Subscriber) {
	slices.SortFunc(all, func(a, b Subscriber) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
	})
}
