package control

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/grpc-sandbox/sandbox/services/control/ads"
	"github.com/grpc-sandbox/sandbox/services/control/compile"
)

// crowd is many simulated processes that receive their policies and acknowledge every one.
type crowd struct {
	ended    sync.WaitGroup
	received atomic.Int64
	// onPush is called with each response; it may be nil.
	onPush atomic.Pointer[func()]
}

// fill puts services of a number of pods each into a store, with policies, and returns the pods. Each process calls two of the services.
func fill(t testing.TB, store *Store, services, pods, policies int) (all []compile.Process) {
	t.Helper()
	for s := range services {
		name := fmt.Sprintf("service-%03d", s)
		for n := range pods {
			p := compile.Pod{Namespace: "shop", Name: fmt.Sprintf("%s-%d", name, n), Account: "users", Ready: true, Created: time.Unix(1, 0),
				Labels: map[string]string{compile.ServiceLabel: name}}
			store.SetPod(p)
			all = append(all, compile.Process{Pod: p, Callees: []string{fmt.Sprintf("service-%03d", (s+1)%services), fmt.Sprintf("service-%03d", (s+2)%services)}})
		}
	}
	for n := range policies {
		store.SetPolicy(policyFor(t, n%services, n, "methods: [{method: x.Y/Z, deadline: {timeout: 1s}, bulkhead: {maxConcurrent: 9}}]"))
	}
	return all
}

func policyFor(t testing.TB, service, n int, text string) compile.TrafficPolicy {
	t.Helper()
	return policyOfService(t, fmt.Sprintf("policy-%04d", n), fmt.Sprintf("service-%03d", service), text)
}

// start subscribes processes over a few connections, and waits until each has its policy.
func (c *crowd) start(t testing.TB, plane *Plane, address string, all []compile.Process) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	var conns []*grpc.ClientConn
	for range 10 {
		conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		conns = append(conns, conn)
	}
	// Before the connections are closed.
	t.Cleanup(func() { stop(); c.ended.Wait() })
	for i, p := range all {
		c.ended.Go(func() { c.follow(ctx, t, conns[i%len(conns)], p) })
	}
	soon(t, "every process has its policy", func() bool { return inForce(plane) == len(all) })
}

func inForce(plane *Plane) (n int) {
	for _, s := range plane.ADS.Subscribers() {
		if s.InForce {
			n++
		}
	}
	return n
}

func (c *crowd) follow(ctx context.Context, t testing.TB, conn *grpc.ClientConn, p compile.Process) {
	callees := []any{}
	for _, name := range p.Callees {
		callees = append(callees, name)
	}
	metadata, err := structpb.NewStruct(map[string]any{ads.CalleesKey: callees})
	if err != nil {
		t.Error(err)
		return
	}
	stream, err := discovery.NewAggregatedDiscoveryServiceClient(conn).StreamAggregatedResources(ctx)
	if err != nil {
		t.Error(err)
		return
	}
	request := &discovery.DiscoveryRequest{Node: &core.Node{Id: p.Name, Metadata: metadata}, TypeUrl: ads.TypeURL, ResourceNames: []string{p.Key()}}
	for {
		if err := stream.Send(request); err != nil {
			return
		}
		response, err := stream.Recv()
		if err != nil {
			if ctx.Err() == nil {
				t.Errorf("%s: %v", p.Name, err)
			}
			return
		}
		c.received.Add(1)
		if f := c.onPush.Load(); f != nil {
			(*f)()
		}
		request = &discovery.DiscoveryRequest{TypeUrl: ads.TypeURL, ResourceNames: request.GetResourceNames(), ResponseNonce: response.GetNonce(), VersionInfo: response.GetVersionInfo()}
	}
}

// TestPlane_ChangeReachesOnlyThoseItConcerns counts the pushes: the pods of the service and those that call it.
func TestPlane_ChangeReachesOnlyThoseItConcerns(t *testing.T) {
	const services, pods = 20, 5
	plane, control := startPlane(t, "")
	var c crowd
	c.start(t, plane, control.address, fill(t, plane.Store, services, pods, 100))
	for _, change := range []struct {
		what, text string
		want       int64
	}{
		{"of calls that are received", "methods: [{bulkhead: {maxConcurrent: 3}}]", pods},
		{"of calls that are made", "methods: [{deadline: {timeout: 3s}}]", 2*pods + pods},
		{"without a difference", "methods: [{deadline: {timeout: 3s}}]", 0},
	} {
		before := c.received.Load()
		// The first change of the second row also removes what the first one has set.
		plane.Store.SetPolicy(policyFor(t, 7, 9000, change.text))
		soon(t, "the change is in force", func() bool { return c.received.Load() >= before+change.want && inForce(plane) == services*pods })
		// A push that goes to others would have been sent before this one, which concerns one service.
		plane.Store.SetPolicy(policyFor(t, 15, 9001, fmt.Sprintf("methods: [{bulkhead: {maxConcurrent: %d}}]", change.want+50)))
		soon(t, "the next change is in force", func() bool { return c.received.Load() >= before+change.want+pods && inForce(plane) == services*pods })
		if got := c.received.Load() - before - pods; got != change.want {
			t.Errorf("a change %s was pushed to %d processes, want %d", change.what, got, change.want)
		}
	}
}

// BenchmarkPush measures the time from a change in the store until all of 1,000 processes of one service have it, among 1,000 policies and 200 services.
func BenchmarkPush(b *testing.B) {
	const services, pods = 200, 5
	plane, control := startPlane(b, "")
	all := fill(b, plane.Store, services, pods, 1000)
	for i := range all {
		// Every process calls the service whose policy changes.
		all[i].Callees = append(all[i].Callees, "service-000")
	}
	var c crowd
	c.start(b, plane, control.address, all)
	runtime.GC()
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	var took []time.Duration
	for n := 0; b.Loop(); n++ {
		start, missing, done := time.Now(), atomic.Int64{}, make(chan struct{})
		missing.Store(int64(len(all)))
		arrived := func() {
			if missing.Add(-1) == 0 {
				close(done)
			}
		}
		c.onPush.Store(&arrived)
		plane.Store.SetPolicy(policyFor(b, 0, 9000, fmt.Sprintf("methods: [{method: x.Y/Z, deadline: {timeout: %dms}}]", 1000+n)))
		<-done
		took = append(took, time.Since(start))
		soon(b, "every process has acknowledged", func() bool { return inForce(plane) == len(all) })
	}
	c.onPush.Store(nil)
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Milliseconds()), "p50-ms")
	b.ReportMetric(float64(took[(len(took)*99)/100].Milliseconds()), "p99-ms")
	b.ReportMetric(float64(memory.HeapInuse)/1e6, "heap-MB")
}
