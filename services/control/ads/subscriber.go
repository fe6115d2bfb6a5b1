package ads

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/grpc-sandbox/sandbox/services/control/compile"
	"github.com/grpc-sandbox/sandbox/services/control/xds"
)

// TypeURL is the type of the only resource that a process requests, whose name is namespace/pod.
const TypeURL = "type.googleapis.com/policy.v1.EffectivePolicy"

// stream is one connection of a process.
type stream struct {
	identity Identity
	// name is the name of the resource; empty before the first request.
	name    string
	process compile.Process
	// enforcer is what enforces the policy; empty for governance.
	enforcer string
	since    time.Time
	compiled compile.Compiled
	// sent has the versions of the responses that are not acknowledged yet, by nonce.
	sent map[string]string
	// last is the version that was sent last, acknowledged the one that the process enforces.
	last, acknowledged string
	acknowledgedAny    bool
	rejectedVersion    string
	rejected           string
	// xds is what a client that speaks xDS itself has subscribed to; nil for a process that requests its policy. The versions above are those of the
	// policy from which its resources were made.
	xds *client
}

// State is what a process has acknowledged.
type State struct {
	compile.Process
	// Kind is how it receives its configuration, Agent the name and version of an xDS client.
	Kind  xds.Kind
	Agent string
	// Since is when it connected.
	Since time.Time
	// Sent is the version that was sent last. Acknowledged is the one that the process enforces, if AcknowledgedAny.
	Sent, Acknowledged string
	AcknowledgedAny    bool
	// Rejected is why the process could not apply RejectedVersion; empty if it could apply the last one.
	Rejected, RejectedVersion string
}

// Subscriber is a process that receives configuration, compared with what it should enforce.
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

// Subscribers returns the connected processes, sorted by namespace and pod. Of several connections of one kind, a process has the newest.
func (s *Server) Subscribers() []Subscriber {
	s.mu.Lock()
	defer s.mu.Unlock()
	newest := map[string]*stream{}
	for _, st := range s.streams {
		key := st.name + " " + string(st.kind())
		if st.name != "" && (newest[key] == nil || newest[key].since.Before(st.since)) {
			newest[key] = st
		}
	}
	all := make([]Subscriber, 0, len(newest))
	for _, st := range newest {
		state := State{Process: st.process, Kind: st.kind(), Agent: st.agent(), Since: st.since, Sent: st.last, Acknowledged: st.acknowledged, AcknowledgedAny: st.acknowledgedAny,
			Rejected: st.rejected, RejectedVersion: st.rejectedVersion}
		all = append(all, state.Compare(st.compiled))
	}
	Sort(all)
	return all
}

// Sort sorts subscribers by namespace and pod.
func Sort(all []Subscriber) {
	slices.SortFunc(all, func(a, b Subscriber) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name), strings.Compare(string(a.Kind), string(b.Kind)))
	})
}

// kind returns how the process receives its configuration.
func (st *stream) kind() xds.Kind {
	if st.xds != nil {
		return st.xds.kind
	}
	if st.enforcer == string(xds.NGINX) {
		return xds.NGINX
	}
	return xds.Governance
}

func (st *stream) agent() string {
	if st.xds == nil {
		return ""
	}
	return st.xds.agent
}
