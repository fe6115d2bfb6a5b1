package ads

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/grpc-sandbox/sandbox/services/control/compile"
	"github.com/grpc-sandbox/sandbox/services/control/xds"
)

// client is what a stream of an xDS client has subscribed to.
type client struct {
	kind  xds.Kind
	agent string
	types map[string]*subscription
}

// subscription is what a client has requested of one type.
type subscription struct {
	// names are the requested resources, sorted. all means every resource of the type, which only a sidecar requests.
	names []string
	all   bool
	// resources are what the client should have of them, with their version.
	resources map[string]proto.Message
	version   string
	// sentNames and sent are what the last response answered.
	sentNames       []string
	sent            string
	sentAny         bool
	acknowledged    string
	acknowledgedAny bool
	rejected        string
	rejectedVersion string
	// open is a request that has no response yet, because the client has everything.
	open *open
}

// open is a request without a response.
type open struct {
	request *cache.Request
	value   chan cache.Response
}

// wanted reports whether the client has not been sent what it should have.
func (s *subscription) wanted() bool {
	return (s.all || len(s.names) > 0) && (!s.sentAny || s.sent != s.version || !slices.Equal(s.sentNames, s.names))
}

// answer sends what the client should have, if it requested something and has not been sent it.
func (s *subscription) answer() {
	if s.open == nil || !s.wanted() {
		return
	}
	// The channel has room for the one response of a request.
	s.open.value <- s.response(s.open.request)
	s.open = nil
}

func (s *subscription) response(request *cache.Request) cache.Response {
	out := &discovery.DiscoveryResponse{VersionInfo: s.version, TypeUrl: request.GetTypeUrl()}
	returned := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(s.resources)) {
		packed := &anypb.Any{}
		if err := anypb.MarshalFrom(packed, s.resources[name], proto.MarshalOptions{Deterministic: true}); err != nil {
			// As in xds.Version.
			continue
		}
		out.Resources = append(out.Resources, packed)
		returned[name] = s.version
	}
	return &cache.PassthroughResponse{Request: request, DiscoveryResponse: out, ReturnedResources: returned}
}

// choose sets what the client should have.
func (s *subscription) choose(from map[string]proto.Message) {
	s.resources = from
	if !s.all {
		s.resources = map[string]proto.Message{}
		for _, name := range s.names {
			if r, ok := from[name]; ok {
				s.resources[name] = r
			}
		}
	}
	s.version = xds.Version(s.resources)
}

// inForce reports whether the client has applied everything that it should have.
func (c *client) inForce() bool {
	for i, kind := range xds.Types {
		s := c.types[kind]
		if s == nil || !s.all && len(s.names) == 0 {
			// A client that has no listener requests nothing else; otherwise it will request the routes, clusters and endpoints.
			return i == 0
		}
		if !s.acknowledgedAny || s.acknowledged != s.version {
			return false
		}
		if i == 0 && len(s.resources) == 0 {
			return true
		}
	}
	return true
}

// rejection returns why the client could not apply what it should have; empty if it could.
func (c *client) rejection() string {
	for _, kind := range xds.Types {
		if s := c.types[kind]; s != nil && s.rejected != "" && s.rejectedVersion == s.version {
			return fmt.Sprintf("%s: %s", kind[strings.LastIndex(kind, ".")+1:], s.rejected)
		}
	}
	return ""
}

// services returns the services that the client calls.
func (c *client) services(p compile.Process) []string {
	if c.kind == xds.Envoy {
		return p.Callees
	}
	names := map[string]bool{}
	for _, s := range c.types {
		for _, name := range s.names {
			if service := xds.ServiceOf(name, p.Namespace); service != "" {
				names[service] = true
			}
		}
	}
	return append([]string{}, slices.Sorted(maps.Keys(names))...)
}

// served reports whether resources of a type are served to xDS clients.
func served(kind string) bool { return slices.Contains(xds.Types, kind) }

// subscribe handles a request of an xDS client.
func (c callbacks) subscribe(id int64, req *discovery.DiscoveryRequest) error {
	c.mu.Lock()
	st := c.streams[id]
	first := st != nil && st.xds == nil
	var identity Identity
	if st != nil {
		identity = st.identity
	}
	c.mu.Unlock()
	if st == nil {
		return nil
	}
	if first {
		process, err := c.process(identity, req.GetNode().GetId(), req.GetNode())
		if err != nil {
			return err
		}
		agent := cmp.Or(req.GetNode().GetUserAgentName(), "unknown")
		if v := req.GetNode().GetUserAgentVersion(); v != "" {
			agent += " " + v
		}
		c.mu.Lock()
		st.xds = &client{kind: xds.KindOf(req.GetNode().GetUserAgentName()), agent: agent, types: map[string]*subscription{}}
		st.process, st.name, st.since = process, process.Key(), time.Now()
		c.mu.Unlock()
		c.cfg.Log.Info("an xDS client subscribed", "process", process.Key(), "agent", agent)
	}
	c.updating.Lock()
	defer c.updating.Unlock()
	if c.requested(id, req) {
		c.rebuild(id)
	}
	// The cache finds the stream by the node. What the client says about itself is used for nothing else.
	req.Node = &core.Node{Id: fmt.Sprint(id)}
	return nil
}

// requested records the resources that a client requests and what it says about the last response. It reports whether it requests others than before.
func (c callbacks) requested(id int64, req *discovery.DiscoveryRequest) (changed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	st := c.streams[id]
	if st == nil {
		return false
	}
	s := st.xds.types[req.GetTypeUrl()]
	if s == nil {
		s = &subscription{}
		st.xds.types[req.GetTypeUrl()] = s
		changed = true
	}
	if st.xds.kind == xds.Envoy && len(req.GetResourceNames()) == 0 && (s.all || changed) && (req.GetTypeUrl() == xds.ListenerType || req.GetTypeUrl() == xds.ClusterType) {
		// A sidecar requests all listeners and clusters by naming none.
		req.ResourceNames = []string{wildcard}
	}
	names := slices.Compact(slices.Sorted(slices.Values(req.GetResourceNames())))
	all := st.xds.kind == xds.Envoy && slices.Contains(names, wildcard)
	changed = changed || all != s.all || !slices.Equal(names, s.names)
	s.names, s.all = names, all
	c.record(st, s, req)
	if !changed {
		st.settle()
	}
	return changed
}

// wildcard is the name of every resource.
const wildcard = "*"

// record records whether a client has applied a response. c.mu is held.
func (c callbacks) record(st *stream, s *subscription, req *discovery.DiscoveryRequest) {
	version, known := st.sent[req.GetResponseNonce()]
	if !known {
		return
	}
	delete(st.sent, req.GetResponseNonce())
	if problem := req.GetErrorDetail(); problem != nil {
		s.rejected, s.rejectedVersion = problem.GetMessage(), version
		c.cfg.Log.Warn("an xDS client rejected resources", "process", st.name, "type", req.GetTypeUrl(), "version", version, "error", problem.GetMessage())
		return
	}
	s.acknowledged, s.acknowledgedAny = version, true
	s.rejected, s.rejectedVersion = "", ""
}

// settle records whether the client enforces the policy from which its resources were made: when it has applied all of them. s.mu is held.
func (st *stream) settle() {
	version := st.compiled.Policy.GetVersion()
	if why := st.xds.rejection(); why != "" {
		st.rejected, st.rejectedVersion = why, version
	} else if st.xds.inForce() {
		st.acknowledged, st.acknowledgedAny = version, true
		st.rejected, st.rejectedVersion = "", ""
	}
}

// rebuild compiles what a client should have, and sends what has changed. s.updating is held.
func (s *Server) rebuild(id int64) {
	s.mu.Lock()
	st := s.streams[id]
	if st == nil || st.xds == nil {
		s.mu.Unlock()
		return
	}
	in := xds.Input{Kind: st.xds.kind, Pod: st.process.Pod, TrustDomain: s.cfg.TrustDomain}
	if t := st.xds.types[xds.ListenerType]; t != nil {
		in.Listeners = slices.Clone(t.names)
	}
	process := st.process
	process.Callees = st.xds.services(process)
	identity := st.identity
	s.mu.Unlock()

	if pod, err := s.cfg.Pod(identity, process.Name); err == nil {
		process.Pod, in.Pod = pod, pod
	}
	compiled := s.cfg.Compile(process)
	in.Policy, in.Services = compiled.Policy, s.cfg.Services(process.Namespace, process.Callees)
	built := xds.Build(in)

	s.mu.Lock()
	defer s.mu.Unlock()
	st.compiled, st.process, st.last = compiled, process, compiled.Policy.GetVersion()
	for kind, t := range st.xds.types {
		t.choose(built[kind])
		t.answer()
	}
	st.settle()
}

// watches is the cache of the xDS clients: each stream has resources of its own, because faults and the requested names differ. Node.Id is the number
// of the stream. It is not one of the caches of go-control-plane: they send a rejected version again at once, or resources that were not requested.
type watches struct{ *Server }

// CreateWatch answers a request, now or when there is something that the client has not been sent.
func (w watches) CreateWatch(request *cache.Request, _ cache.Subscription, value chan cache.Response) (func(), error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id, st := range w.streams {
		if st.xds == nil || fmt.Sprint(id) != request.GetNode().GetId() {
			continue
		}
		if s := st.xds.types[request.GetTypeUrl()]; s != nil {
			mine := &open{request, value}
			s.open = mine
			s.answer()
			return func() { w.cancel(s, mine) }, nil
		}
	}
	return func() {}, nil
}

func (w watches) cancel(s *subscription, mine *open) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if s.open == mine {
		s.open = nil
	}
}

// CreateDeltaWatch refuses: the incremental variant of the protocol is not served.
func (watches) CreateDeltaWatch(*cache.DeltaRequest, cache.Subscription, chan cache.DeltaResponse) (func(), error) {
	return nil, status.Error(codes.Unimplemented, "the incremental variant of xDS is not served")
}

// Fetch refuses: single requests are not served.
func (watches) Fetch(context.Context, *cache.Request) (cache.Response, error) {
	return nil, errors.New("single requests are not served")
}
