package control

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	testv1 "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/control/ads"
	"github.com/grpc-sandbox/sandbox/services/control/api"
	"github.com/grpc-sandbox/sandbox/services/control/compile"
	"github.com/grpc-sandbox/sandbox/services/control/subscriber"
	"github.com/grpc-sandbox/sandbox/services/control/telemetryv1"
	"github.com/grpc-sandbox/sandbox/services/governance"
	"github.com/grpc-sandbox/sandbox/services/governance/policy"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

func TestMain(m *testing.M) {
	// grpc-go never closes the provider of the certificate with which an xDS client connects to its control plane.
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("google.golang.org/grpc/credentials/tls/certprovider/pemfile.(*watcher).run"))
}

// output returns where logs go: standard error with -v, else nowhere.
func output() io.Writer {
	if testing.Verbose() {
		return os.Stderr
	}
	return io.Discard
}

// running is a program in this process.
type running struct {
	address string
	process *governance.Process
	stop    func()
}

// run starts a program, in plaintext if it has no certificate, and waits until it serves.
func run(t testing.TB, cfg governance.Config, register func(context.Context, *governance.Process, *grpc.Server) error) running {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	up, ended := make(chan governance.Addresses, 1), make(chan error, 1)
	cfg.HealthAddr, cfg.MetricsAddr, cfg.DrainLimit = "127.0.0.1:0", "127.0.0.1:0", time.Second
	if cfg.TLSDir == "" {
		cfg.TLSDir = "off"
	}
	if cfg.ListenAddr == "" {
		cfg.ListenAddr = "127.0.0.1:0"
	}
	cfg.Ready = func(a governance.Addresses) { up <- a }
	var r running
	go func() {
		ended <- governance.Run(ctx, output(), cfg, func(p *governance.Process, s *grpc.Server) error {
			r.process = p
			return register(ctx, p, s)
		})
	}()
	stopped := false
	r.stop = func() {
		if !stopped {
			stopped = true
			cancel()
			if err := <-ended; err != nil {
				t.Errorf("%s: %v", cfg.Service, err)
			}
		}
	}
	t.Cleanup(func() { r.stop() })
	select {
	case a := <-up:
		r.address = a.Service
	case err := <-ended:
		t.Fatal(err)
	}
	return r
}

// startPlane starts a control plane at an address; "" chooses one.
func startPlane(t testing.TB, address string) (*Plane, running) {
	t.Helper()
	var plane *Plane
	r := run(t, governance.Config{Service: "control", ListenAddr: address}, func(ctx context.Context, p *governance.Process, s *grpc.Server) error {
		plane = Register(ctx, p, s, Config{Identify: func(context.Context) (ads.Identity, error) {
			return ads.Identity{Namespace: "shop", Account: "users"}, nil
		}})
		return nil
	})
	return plane, r
}

type answering struct {
	testv1.UnimplementedTestServiceServer
}

func (answering) UnaryCall(context.Context, *testv1.SimpleRequest) (*testv1.SimpleResponse, error) {
	return &testv1.SimpleResponse{}, nil
}

// startService starts a pod that receives its policy from a control plane, and returns a client of it.
func startService(t *testing.T, pod, control string) (running, testv1.TestServiceClient) {
	t.Helper()
	r := run(t, governance.Config{Service: "users", Pod: pod}, func(_ context.Context, p *governance.Process, s *grpc.Server) error {
		testv1.RegisterTestServiceServer(s, answering{})
		return subscriber.Start(p, subscriber.Config{Addr: control, Namespace: "shop"})
	})
	conn, err := grpc.NewClient(r.address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return r, testv1.NewTestServiceClient(conn)
}

func podNamed(name string) compile.Pod {
	return compile.Pod{Namespace: "shop", Name: name, Account: "users", Labels: map[string]string{compile.ServiceLabel: "users"}, Ready: true, Created: time.Unix(1, 0)}
}

func policyOf(t testing.TB, name, text string) compile.TrafficPolicy {
	t.Helper()
	return policyOfService(t, name, "users", text)
}

func policyOfService(t testing.TB, name, service, text string) compile.TrafficPolicy {
	t.Helper()
	spec := &policyv1.TrafficPolicySpec{}
	if _, err := policy.Decode([]byte("selector: {matchLabels: {app.kubernetes.io/name: "+service+"}}\n"+text), spec); err != nil {
		t.Fatal(err)
	}
	return compile.TrafficPolicy{Object: compile.Object{Kind: compile.KindTrafficPolicy, Namespace: "shop", Name: name, UID: name, Generation: 1, Created: time.Unix(1, 0)}, Spec: spec}
}

func faultOf(t *testing.T, name, text string) compile.Fault {
	t.Helper()
	spec := &policyv1.FaultSpec{}
	if _, err := policy.Decode([]byte("selector: {matchLabels: {app.kubernetes.io/name: users}}\n"+text), spec); err != nil {
		t.Fatal(err)
	}
	return compile.Fault{Object: compile.Object{Kind: compile.KindFault, Namespace: "shop", Name: name, UID: "uid-of-" + name, Generation: 1, Created: time.Now()}, Spec: spec}
}

// soon waits until a condition is true.
func soon(t testing.TB, what string, condition func() bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not within 20s: %s", what)
		}
	}
}

func code(ctx context.Context, c testv1.TestServiceClient) codes.Code {
	_, err := c.UnaryCall(ctx, &testv1.SimpleRequest{})
	return status.Code(err)
}

func TestPlane_PolicyIsEnforcedAndReported(t *testing.T) {
	plane, control := startPlane(t, "")
	plane.Store.SetPod(podNamed("users-1"))
	limit := policyOf(t, "limit", "maxRequestsPerSecond: 0.001")
	plane.Store.SetPolicy(limit)
	_, client := startService(t, "users-1", control.address)
	soon(t, "the policy is in force", func() bool { return len(plane.ADS.Subscribers()) == 1 && plane.ADS.Subscribers()[0].InForce })
	for n, want := range []codes.Code{codes.OK, codes.OK, codes.OK, codes.ResourceExhausted} {
		if got := code(t.Context(), client); got != want {
			t.Errorf("call %d: %s, want %s", n+1, got, want)
		}
	}
	s := plane.View().PolicyStatus(limit, nil, api.TrafficPolicyStatus{})
	if s.Enforcing != 1 || s.Subscribers != 1 || s.Verdicts != (api.Verdicts{Enforced: 1}) || s.Conditions[1].Reason != "Enforced" || s.Conditions[1].ObservedGeneration != 1 {
		t.Errorf("status %+v", s)
	}

	// A selected pod that does not subscribe ignores the policy, and the status says so.
	plane.Store.SetPod(podNamed("users-2"))
	s = plane.View().PolicyStatus(limit, nil, s)
	if s.Verdicts.Ignored != 1 || len(s.Exceptions) != 1 || s.Exceptions[0].Pod != "users-2" || s.Conditions[1].Reason != "Ignored" {
		t.Errorf("status with a pod that ignores it: %+v", s)
	}

	plane.Store.RemovePolicy("shop", "limit")
	soon(t, "the limit is removed", func() bool { return code(t.Context(), client) == codes.OK })
}

func TestPlane_OutageKeepsThePolicy(t *testing.T) {
	plane, control := startPlane(t, "")
	plane.Store.SetPod(podNamed("users-1"))
	plane.Store.SetPolicy(policyOf(t, "bulkhead", "methods: [{bulkhead: {maxConcurrent: 7}}]"))
	service, _ := startService(t, "users-1", control.address)
	inForce := func(limit int64) func() bool {
		return func() bool { return service.process.Policy.Rules().Server("a.B/C").MaxConcurrent == limit }
	}
	soon(t, "the policy is in force", inForce(7))
	control.stop()
	if !inForce(7)() {
		t.Error("the policy ended with the control plane")
	}
	again, _ := startPlane(t, control.address)
	again.Store.SetPod(podNamed("users-1"))
	again.Store.SetPolicy(policyOf(t, "bulkhead", "methods: [{bulkhead: {maxConcurrent: 8}}]"))
	soon(t, "the policy of the new control plane is in force", inForce(8))
}

func TestPlane_FaultEndsWithItsLease(t *testing.T) {
	plane, control := startPlane(t, "")
	plane.Store.Permit("shop", true)
	plane.Store.SetPod(podNamed("users-1"))
	_, client := startService(t, "users-1", control.address)
	soon(t, "the service is connected", func() bool { return len(plane.ADS.Subscribers()) == 1 && plane.ADS.Subscribers()[0].InForce })

	fault := faultOf(t, "down", "abort: {code: UNAVAILABLE}\nleaseSeconds: 5")
	plane.Store.SetFault(fault)
	soon(t, "the fault is injected", func() bool { return code(t.Context(), client) == codes.Unavailable })
	soon(t, "the fault is active", func() bool {
		s, cleared := plane.View().FaultStatus(fault, nil, api.FaultStatus{})
		return s.Phase == api.FaultActive && s.Applied == 1 && !cleared
	})
	// A dead control plane leaves nothing behind: the process ends the fault by itself.
	control.stop()
	if got := code(t.Context(), client); got != codes.Unavailable {
		t.Errorf("the fault ended with the control plane: %s", got)
	}
	began := time.Now()
	soon(t, "the process has ended the fault", func() bool { return code(t.Context(), client) == codes.OK })
	if took := time.Since(began); took < 2*time.Second {
		t.Errorf("the fault ended %s after the control plane, before its lease", took)
	}
}

func TestPlane_FaultIsRemovedFromTheProcesses(t *testing.T) {
	plane, control := startPlane(t, "")
	plane.Store.Permit("shop", true)
	plane.Store.SetPod(podNamed("users-1"))
	_, client := startService(t, "users-1", control.address)
	fault := faultOf(t, "down", "abort: {code: ABORTED}\nduration: 1h")
	plane.Store.SetFault(fault)
	soon(t, "the fault is injected", func() bool { return code(t.Context(), client) == codes.Aborted })
	fault.Ended = true
	plane.Store.SetFault(fault)
	soon(t, "the fault is cleared", func() bool {
		_, cleared := plane.View().FaultStatus(fault, nil, api.FaultStatus{})
		return cleared
	})
	if got := code(t.Context(), client); got != codes.OK {
		t.Errorf("after the clearance: %s", got)
	}
	// A namespace that no longer permits faults has none.
	fault.Ended = false
	fault.UID = "another"
	plane.Store.SetFault(fault)
	soon(t, "the second fault is injected", func() bool { return code(t.Context(), client) == codes.Aborted })
	plane.Store.Permit("shop", false)
	soon(t, "the second fault is removed", func() bool { return code(t.Context(), client) == codes.OK })
}

func TestPlane_RejectedPolicyIsReported(t *testing.T) {
	plane, control := startPlane(t, "")
	plane.Store.SetPod(podNamed("users-1"))
	startService(t, "users-1", control.address)
	// No reader accepts it, but a control plane with a fault could send it.
	bad := policyOf(t, "bad", "methods: [{bulkhead: {maxConcurrent: 1}}]")
	bad.Spec.Methods[0].Method = "no method"
	plane.Store.SetPolicy(bad)
	var s api.TrafficPolicyStatus
	soon(t, "the rejection is reported", func() bool {
		s = plane.View().PolicyStatus(bad, nil, s)
		return s.Verdicts.Rejected == 1
	})
	if e := s.Exceptions[0]; e.Pod != "users-1" || !strings.Contains(e.Why, "no method") || s.Conditions[1].Reason != "Rejected" {
		t.Errorf("status %+v", s)
	}
	plane.Store.SetPolicy(policyOf(t, "bad", "methods: [{bulkhead: {maxConcurrent: 2}}]"))
	soon(t, "the process accepts the next policy", func() bool { return plane.ADS.Subscribers()[0].InForce })
}

func TestPlane_OnlyPodsOfTheAccount(t *testing.T) {
	plane, control := startPlane(t, "")
	other := podNamed("other-1")
	other.Account = "other"
	plane.Store.SetPod(other)
	conn, err := grpc.NewClient(control.address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	for name, want := range map[string]codes.Code{"shop/other-1": codes.PermissionDenied, "elsewhere/users-1": codes.PermissionDenied, "shop/unknown": codes.Unavailable, "": codes.PermissionDenied} {
		if got := subscribe(t, conn, name); got != want {
			t.Errorf("subscribing to %q: %s, want %s", name, got, want)
		}
	}
}

func TestPlane_EventsOfEveryProcess(t *testing.T) {
	plane, control := startPlane(t, "")
	plane.Store.SetPod(podNamed("users-1"))
	service, _ := startService(t, "users-1", control.address)
	conn, err := grpc.NewClient(control.address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	stream, err := telemetryv1.NewEventsClient(conn).Watch(ctx, &telemetryv1.WatchRequest{FromOldest: true, Kinds: []string{"breaker"}})
	if err != nil {
		t.Fatal(err)
	}
	for n := range 3 {
		service.process.Events.Add(governance.Event{Kind: governance.KindBreaker, Subject: fmt.Sprint(n)})
	}
	for n := range 3 {
		e, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if e.GetSubject() != fmt.Sprint(n) || e.GetPod() != "users-1" || e.GetNamespace() != "shop" || e.GetBoot() != service.process.Events.Boot() {
			t.Errorf("event %d: %v", n, e)
		}
	}
}

func TestPlane_NoControlPlane(t *testing.T) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	_ = free.Close()
	_, client := startService(t, "users-1", address)
	if got := code(t.Context(), client); got != codes.OK {
		t.Errorf("a call without a control plane: %s", got)
	}
}

// subscribe requests a resource and returns the code with which the stream ends.
func subscribe(t *testing.T, conn *grpc.ClientConn, name string) codes.Code {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	stream, err := discovery.NewAggregatedDiscoveryServiceClient(conn).StreamAggregatedResources(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&discovery.DiscoveryRequest{TypeUrl: ads.TypeURL, ResourceNames: []string{name}}); err != nil {
		t.Fatal(err)
	}
	_, err = stream.Recv()
	return status.Code(err)
}

func TestPolicyStatus_ChangeThatIsNotCompiledYet(t *testing.T) {
	plane, control := startPlane(t, "")
	plane.Store.SetPod(podNamed("users-1"))
	first := policyOf(t, "limit", "methods: [{bulkhead: {maxConcurrent: 3}}]")
	reason := func(p compile.TrafficPolicy) string {
		return plane.View().PolicyStatus(p, nil, api.TrafficPolicyStatus{}).Conditions[1].Reason
	}
	if got := reason(first); got != "Pending" {
		t.Errorf("before it is in the store: %s", got)
	}
	plane.Store.SetPolicy(first)
	startService(t, "users-1", control.address)
	soon(t, "the policy is enforced", func() bool { return reason(first) == "Enforced" })
	second := first
	second.Generation = 2
	if got := reason(second); got != "Pending" {
		t.Errorf("a change that is not in the store yet: %s", got)
	}
}
