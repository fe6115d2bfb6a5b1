package ads

import (
	"context"
	"fmt"
	"slices"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/grpc-sandbox/sandbox/services/control/compile"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// The keys of a node's metadata with lists: the services that the process calls, and the methods that it serves, as package.Service/Method.
const (
	CalleesKey = "callees"
	ServedKey  = "served"
	// EnforcerKey says what enforces the policy, if that is not governance.
	EnforcerKey = "enforcer"
)

// callbacks connects the xDS server with a Server.
type callbacks struct{ *Server }

// OnStreamOpen identifies the process.
func (c callbacks) OnStreamOpen(ctx context.Context, id int64, _ string) error {
	identity, err := c.cfg.Identify(ctx)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.streams[id] = &stream{identity: identity, sent: map[string]string{}}
	return nil
}

// OnStreamClosed forgets the connection.
func (c callbacks) OnStreamClosed(id int64, _ *core.Node) {
	c.detach(id)
	c.cfg.Changed()
}

// OnStreamRequest checks a subscription, or records an answer.
func (c callbacks) OnStreamRequest(id int64, req *discovery.DiscoveryRequest) error {
	c.mu.Lock()
	st := c.streams[id]
	c.mu.Unlock()
	if st == nil {
		// The stream was closed.
		return nil
	}
	switch ours := req.GetTypeUrl() == TypeURL; {
	case !ours && (c.cfg.Services == nil || !served(req.GetTypeUrl())):
		return status.Errorf(codes.InvalidArgument, "resources of type %s are not served", req.GetTypeUrl())
	case ours && st.xds != nil, !ours && st.xds == nil && st.name != "":
		return status.Error(codes.InvalidArgument, "a policy and resources of xDS are requested over different streams")
	case !ours:
		if err := c.subscribe(id, req); err != nil {
			return fmt.Errorf("subscribing: %w", err)
		}
		c.cfg.Changed()
		return nil
	}
	if len(req.GetResourceNames()) != 1 {
		return status.Errorf(codes.InvalidArgument, "a process requests one resource, which is named namespace/pod, and not %q", req.GetResourceNames())
	}
	name := req.GetResourceNames()[0]
	if st.name == "" {
		process, err := c.process(st.identity, name, req.GetNode())
		if err != nil {
			return err
		}
		c.mu.Lock()
		st.enforcer = req.GetNode().GetMetadata().GetFields()[EnforcerKey].GetStringValue()
		c.mu.Unlock()
		if err := c.attach(id, st.identity, process); err != nil {
			return fmt.Errorf("subscribing: %w", err)
		}
		c.cfg.Log.Info("a process subscribed", "process", name, "callees", process.Callees)
	} else if st.name != name {
		return status.Errorf(codes.InvalidArgument, "this stream has subscribed to %s already", st.name)
	}
	c.answered(id, req)
	c.cfg.Changed()
	return nil
}

// process returns the process that a request describes, if the caller may have its policy.
func (c callbacks) process(id Identity, name string, node *core.Node) (compile.Process, error) {
	namespace, pod := id.Namespace, ""
	if n := len(namespace); len(name) > n+1 && name[:n+1] == namespace+"/" {
		pod = name[n+1:]
	}
	if pod == "" {
		return compile.Process{}, status.Errorf(codes.PermissionDenied, "the certificate is of namespace %s, not of %s", namespace, name)
	}
	found, err := c.cfg.Pod(id, pod)
	if err != nil {
		return compile.Process{}, err
	}
	return compile.Process{Pod: found, Callees: listOf(node, CalleesKey), Served: listOf(node, ServedKey)}, nil
}

// listOf returns a list of a node's metadata; nil if the node did not send it.
func listOf(node *core.Node, key string) []string {
	list := node.GetMetadata().GetFields()[key]
	if list == nil {
		return nil
	}
	out := []string{}
	for _, v := range list.GetListValue().GetValues() {
		out = append(out, v.GetStringValue())
	}
	return out
}

// answered records whether a process has applied a response.
func (c callbacks) answered(id int64, req *discovery.DiscoveryRequest) {
	c.mu.Lock()
	defer c.mu.Unlock()
	st := c.streams[id]
	if st == nil {
		return
	}
	version, known := st.sent[req.GetResponseNonce()]
	if !known {
		return
	}
	delete(st.sent, req.GetResponseNonce())
	if problem := req.GetErrorDetail(); problem != nil {
		st.rejected, st.rejectedVersion = problem.GetMessage(), version
		c.cfg.Log.Warn("a process rejected its policy", "process", st.name, "version", version, "error", problem.GetMessage())
		return
	}
	st.acknowledged, st.acknowledgedAny = version, true
	st.rejected, st.rejectedVersion = "", ""
}

// OnStreamResponse records what is sent.
func (c callbacks) OnStreamResponse(_ context.Context, id int64, req *discovery.DiscoveryRequest, resp *discovery.DiscoveryResponse) {
	c.mu.Lock()
	defer c.mu.Unlock()
	st := c.streams[id]
	if st == nil {
		return
	}
	if st.xds != nil {
		st.sent[resp.GetNonce()] = resp.GetVersionInfo()
		if s := st.xds.types[resp.GetTypeUrl()]; s != nil {
			s.sent, s.sentAny, s.sentNames = resp.GetVersionInfo(), true, slices.Compact(slices.Sorted(slices.Values(req.GetResourceNames())))
		}
		return
	}
	if len(resp.GetResources()) == 0 {
		// The cache answers a process that has rejected its first policy with an empty response, whose acknowledgement says nothing.
		return
	}
	sent := &policyv1.EffectivePolicy{}
	if err := (proto.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(resp.GetResources()[0].GetValue(), sent); err != nil {
		c.cfg.Log.Error("reading a response", "process", st.name, "error", err)
		return
	}
	st.sent[resp.GetNonce()] = sent.GetVersion()
	st.last = sent.GetVersion()
}
