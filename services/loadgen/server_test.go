package loadgen

import (
	"context"
	"io"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/internal/pause"
	"github.com/grpc-sandbox/sandbox/services/governance"
	"github.com/grpc-sandbox/sandbox/services/loadgen/loadgenv1"
	"github.com/grpc-sandbox/sandbox/services/user"
	"github.com/grpc-sandbox/sandbox/services/user/userv1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// program runs a service until stop, or until the test ends.
func program(t *testing.T, name string, register func(*governance.Process, *grpc.Server) error) (address string, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ready, ended := make(chan governance.Addresses, 1), make(chan error, 1)
	cfg := governance.Config{DrainDelay: governance.Off, Service: name, Pod: name, ListenAddr: "127.0.0.1:0", HealthAddr: "127.0.0.1:0", MetricsAddr: "127.0.0.1:0",
		TLSDir: "off", DrainLimit: 5 * time.Second, Ready: func(a governance.Addresses) { ready <- a }}
	go func() { ended <- governance.Run(ctx, io.Discard, cfg, register) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("%s ended with %v", name, err)
		}
	})
	select {
	case a := <-ready:
		return a.Service, cancel
	case <-time.After(10 * time.Second):
		t.Fatal(name, "does not listen")
		return "", nil
	}
}

// generator runs a load generator whose target is a real user service.
func generator(t *testing.T, background float64) (client loadgenv1.LoadGeneratorClient, stopUsers, stop func()) {
	t.Helper()
	users, stopUsers := program(t, "userservice", func(_ *governance.Process, s *grpc.Server) error {
		userv1.RegisterUserServiceServer(s, user.Service{})
		return nil
	})
	cfg := Config{Targets: map[string]Target{"userservice": {Name: "userservice", Address: users}}, BackgroundTarget: "userservice",
		BackgroundRate: background}
	address, stop := program(t, "loadgen", func(p *governance.Process, s *grpc.Server) error { return Register(p, s, cfg) })
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return loadgenv1.NewLoadGeneratorClient(conn), stopUsers, stop
}

// eventually waits until holds returns true, and fails the test after half a minute.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if pause.Until(ctx, 10*time.Millisecond, func(context.Context) (bool, error) { return holds(), nil }) != nil {
		t.Fatal("not within half a minute:", what)
	}
}

func request(change func(*loadgenv1.StartLoadRequest)) *loadgenv1.StartLoadRequest {
	r := &loadgenv1.StartLoadRequest{Name: "browse", Target: "userservice", Method: "user.v1.UserService/GetUser",
		RequestJson: `{"userId":"u-{{ n 1 2000 }}"}`, Rate: 100, Seed: 42}
	if change != nil {
		change(r)
	}
	return r
}

func TestStartLoad_InvalidRequest(t *testing.T) {
	client, _, _ := generator(t, 0)
	for _, c := range []struct {
		name   string
		change func(*loadgenv1.StartLoadRequest)
	}{
		{"no name", func(r *loadgenv1.StartLoadRequest) { r.Name = "" }},
		{"an unknown target", func(r *loadgenv1.StartLoadRequest) { r.Target = "orderservice" }},
		{"an unknown service", func(r *loadgenv1.StartLoadRequest) { r.Method = "user.v1.Nobody/GetUser" }},
		{"a message in place of a service", func(r *loadgenv1.StartLoadRequest) { r.Method = "user.v1.User/GetUser" }},
		{"an unknown method", func(r *loadgenv1.StartLoadRequest) { r.Method = "user.v1.UserService/Nothing" }},
		{"a method that streams", func(r *loadgenv1.StartLoadRequest) { r.Method = "user.v1.UserService/Chat" }},
		{"a method without a slash", func(r *loadgenv1.StartLoadRequest) { r.Method = "GetUser" }},
		{"an unknown field of the request", func(r *loadgenv1.StartLoadRequest) { r.RequestJson = `{"nobody":1}` }},
		{"an unknown placeholder", func(r *loadgenv1.StartLoadRequest) { r.RequestJson = `{"userId":"{{ uuid }}"}` }},
		{"a rate below zero", func(r *loadgenv1.StartLoadRequest) { r.Rate = -1 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := client.StartLoad(t.Context(), request(c.change)); status.Code(err) != codes.InvalidArgument {
				t.Errorf("got %v", err)
			}
		})
	}
	list, err := client.ListLoads(t.Context(), &loadgenv1.ListLoadsRequest{})
	if err != nil || len(list.GetLoads()) != 0 {
		t.Errorf("loads %v, %v", list, err)
	}
}

func TestServer_LoadLifecycle(t *testing.T) {
	client, _, _ := generator(t, 10)
	ctx := t.Context()
	if _, err := client.StartLoad(ctx, request(nil)); err != nil {
		t.Fatal(err)
	}
	if _, err := client.StartLoad(ctx, request(nil)); status.Code(err) != codes.AlreadyExists {
		t.Error("a taken name:", err)
	}
	// Half of u-1 to u-2000 exist. On a slow machine too many calls may be in flight at times; that is for the tests of the breaker.
	eventually(t, "calls with both outcomes", func() bool {
		got, err := client.GetLoad(ctx, &loadgenv1.GetLoadRequest{Name: "browse"})
		return err == nil && got.GetOk() > 0 && got.GetErrors()["NOT_FOUND"] > 0
	})
	list, err := client.ListLoads(ctx, &loadgenv1.ListLoadsRequest{})
	if err != nil || len(list.GetLoads()) != 2 || list.GetLoads()[0].GetName() != Background || list.GetLoads()[1].GetName() != "browse" {
		t.Errorf("loads %v, %v", list, err)
	}
	if got, err := client.SetRate(ctx, &loadgenv1.SetRateRequest{Name: "browse", Rate: 150}); err != nil || got.GetRate() != 150 {
		t.Errorf("after setting the rate: %v, %v", got, err)
	}
	last, err := client.StopLoad(ctx, &loadgenv1.StopLoadRequest{Name: "browse"})
	if err != nil {
		t.Fatal(err)
	}
	addsUp(t, last)
	if last.GetOk() == 0 || last.GetErrors()["NOT_FOUND"] == 0 {
		t.Errorf("got %v", last)
	}
	if _, err := client.GetLoad(ctx, &loadgenv1.GetLoadRequest{Name: "browse"}); status.Code(err) != codes.NotFound {
		t.Error("a stopped load:", err)
	}
}
