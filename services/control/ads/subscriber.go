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

// Subscriber is a process that receives its policy.
type Subscriber struct {
	compile.Process
	// Since is when it connected.
	Since time.Time
	// Compiled is what it should enforce.
	Compiled compile.Compiled
	// Sent is the version that was sent last, Acknowledged the one that the process enforces.
	Sent, Acknowledged string
	// Rejected is why the process could not apply the version it was sent last; empty if it could.
	Rejected string
	// InForce means that the process enforces Compiled.
	InForce bool
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
	var all []Subscriber
	for _, st := range newest {
		want := st.compiled.Policy.GetVersion()
		sub := Subscriber{Process: st.process, Since: st.since, Compiled: st.compiled, Sent: st.last, Acknowledged: st.acknowledged,
			InForce: st.acknowledgedAny && st.acknowledged == want}
		if st.rejected != "" && st.rejectedVersion == want {
			sub.Rejected = st.rejected
		}
		all = append(all, sub)
	}
	slices.SortFunc(all, func(a, b Subscriber) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
	})
	return all
}
