package subscriber

import (
	"context"
	"errors"
	"fmt"
	"time"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/services/governance"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// typeURL is the type of the resource of a process. The keys are those of a node's metadata: the services that the process calls, and the methods that
// it serves. The control plane names them in package ads, which this package does not import, because it is linked into every service.
const (
	typeURL     = "type.googleapis.com/policy.v1.EffectivePolicy"
	calleesKey  = "callees"
	servedKey   = "served"
	enforcerKey = "enforcer"
)

// receive puts each policy in force that the control plane sends, and answers, until the stream ends.
func (s *subscriber) receive(ctx context.Context, conn *grpc.ClientConn) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := discovery.NewAggregatedDiscoveryServiceClient(conn).StreamAggregatedResources(ctx)
	if err != nil {
		return err
	}
	request := &discovery.DiscoveryRequest{Node: s.node(), TypeUrl: typeURL, ResourceNames: []string{s.cfg.Namespace + "/" + s.process.Config.Pod}}
	for {
		if err := stream.Send(request); err != nil {
			// Recv has the reason.
			_, err = stream.Recv()
			return err
		}
		response, err := stream.Recv()
		if err != nil {
			return err
		}
		request = &discovery.DiscoveryRequest{TypeUrl: typeURL, ResourceNames: request.GetResourceNames(), ResponseNonce: response.GetNonce(), VersionInfo: request.GetVersionInfo()}
		if err := s.apply(response); err != nil {
			// The observer of the policy has logged it.
			request.ErrorDetail = &rpcstatus.Status{Code: int32(codes.InvalidArgument), Message: remedy.Line(err, nil)}
		} else {
			request.VersionInfo = response.GetVersionInfo()
		}
		s.ready()
	}
}

// node describes the process: what it calls and serves decides which parts of a policy concern it.
func (s *subscriber) node() *core.Node {
	served := s.process.Policy.Known().Served
	if s.cfg.Enforcer != "" {
		// It serves what its enforcer passes on.
		served = s.cfg.Served
	}
	metadata, err := structpb.NewStruct(map[string]any{calleesKey: texts(s.process.Callees()), servedKey: texts(served), enforcerKey: s.cfg.Enforcer})
	if err != nil {
		// The names are text in the program.
		panic(err)
	}
	return &core.Node{Id: s.process.Config.Pod, Cluster: s.process.Config.Service, Metadata: metadata}
}

func texts(all []string) []any {
	out := []any{}
	for _, text := range all {
		out = append(out, text)
	}
	return out
}

// apply puts the policy of a response in force.
func (s *subscriber) apply(response *discovery.DiscoveryResponse) error {
	if len(response.GetResources()) == 0 {
		// The answer to a subscription for which there is nothing yet.
		return nil
	}
	next := &policyv1.EffectivePolicy{}
	if err := proto.Unmarshal(response.GetResources()[0].GetValue(), next); err != nil {
		return fmt.Errorf("decoding the policy: %w", err)
	}
	if unknown := unknownFields(next.ProtoReflect()); unknown != "" {
		return fmt.Errorf("this version of the process does not know a field of %s", unknown)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	before := faultNames(s.pushed)
	if err := s.push(next); err != nil {
		return err
	}
	if s.cfg.Apply != nil {
		if err := s.cfg.Apply(); err != nil {
			// It was in force before.
			return errors.Join(err, s.push(s.pushed))
		}
	}
	s.pushed = next
	after := faultNames(next)
	for name := range after {
		if !before[name] {
			s.event(name, "applied", "the fault is in force")
		}
	}
	for name := range before {
		if !after[name] {
			s.event(name, "cleared", "the fault was removed")
		}
	}
	return nil
}

// push puts a policy in force, without the faults that have ended. s.mu is held.
func (s *subscriber) push(next *policyv1.EffectivePolicy) error {
	kept, newly, _ := s.faults.filter(next, time.Now())
	if err := s.process.Policy.Push(kept); err != nil {
		return err
	}
	s.report(newly)
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return nil
}

func (s *subscriber) event(fault, result, detail string) {
	s.process.Events.Add(governance.Event{Kind: KindFault, Subject: fault, Detail: detail, Labels: map[string]string{"result": result}})
}

// endFaults ends each fault at its time, until ctx ends.
func (s *subscriber) endFaults(ctx context.Context) {
	for {
		next := s.endNow()
		wait := time.Hour
		if !next.IsZero() {
			wait = time.Until(next)
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-s.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// endNow removes the faults whose time is over, and returns when the next one ends.
func (s *subscriber) endNow() (next time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	kept, newly, next := s.faults.filter(s.pushed, now)
	if len(newly) == 0 {
		return next
	}
	if err := s.process.Policy.Push(kept); err != nil {
		// A part of a policy that was in force has no problems.
		s.log.Error("ending a fault", "error", err)
	}
	s.report(newly)
	return next
}

func (s *subscriber) report(newly []ended) {
	for _, e := range newly {
		s.log.Warn("ended a fault", "fault", e.name, "because", e.why)
		s.event(e.name, "ended", e.why)
	}
}

func (s *subscriber) beat(uids []string) {
	s.mu.Lock()
	s.faults.beat(uids, time.Now())
	s.mu.Unlock()
}

func faultNames(p *policyv1.EffectivePolicy) map[string]bool {
	names := map[string]bool{}
	for _, all := range [][]*policyv1.Fault{p.GetServerFaults(), p.GetClientFaults()} {
		for _, f := range all {
			names[f.GetName()] = true
		}
	}
	return names
}
