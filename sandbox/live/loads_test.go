package live

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/grpc-sandbox/sandbox/scenarios"
	"github.com/grpc-sandbox/sandbox/services/control/telemetryv1"
	"github.com/grpc-sandbox/sandbox/services/loadgen/loadgenv1"
)

// fakeLoadgen answers every call with the same numbers or the same error, and records the requests.
type fakeLoadgen struct {
	loadgenv1.LoadGeneratorClient
	asked any
	stats *loadgenv1.LoadStats
	err   error
}

func (f *fakeLoadgen) StartLoad(_ context.Context, r *loadgenv1.StartLoadRequest, _ ...grpc.CallOption) (*loadgenv1.LoadStats, error) {
	f.asked = r
	return f.stats, f.err
}

func (f *fakeLoadgen) SetRate(_ context.Context, r *loadgenv1.SetRateRequest, _ ...grpc.CallOption) (*loadgenv1.LoadStats, error) {
	f.asked = r
	return f.stats, f.err
}

func (f *fakeLoadgen) SetGateway(_ context.Context, r *loadgenv1.SetGatewayRequest, _ ...grpc.CallOption) (*loadgenv1.LoadStats, error) {
	f.asked = r
	return f.stats, f.err
}

func (f *fakeLoadgen) GetLoad(context.Context, *loadgenv1.GetLoadRequest, ...grpc.CallOption) (*loadgenv1.LoadStats, error) {
	return f.stats, f.err
}

func (f *fakeLoadgen) StopLoad(context.Context, *loadgenv1.StopLoadRequest, ...grpc.CallOption) (*loadgenv1.LoadStats, error) {
	return f.stats, f.err
}

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestLoads_RequestsMatchTheScenario(t *testing.T) {
	f := &fakeLoadgen{}
	spec := scenarios.LoadSpec{Name: "browse", Rate: 120, Seed: 42}
	spec.Call.Service, spec.Call.Method, spec.Call.Request = "userservice", "user.v1.UserService/GetUser", `{"userId":"u-1"}`
	if err := (loads{f}).Start(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	var want any = &loadgenv1.StartLoadRequest{
		Name: "browse", Target: "userservice", Method: "user.v1.UserService/GetUser", RequestJson: `{"userId":"u-1"}`, Rate: 120, Seed: 42,
	}
	if diff := cmp.Diff(want, f.asked, protocmp.Transform()); diff != "" {
		t.Errorf("start (-want +got)\n%s", diff)
	}
	if err := (loads{f}).SetRate(t.Context(), "browse", 7); err != nil {
		t.Fatal(err)
	}
	want = &loadgenv1.SetRateRequest{Name: "browse", Rate: 7}
	if diff := cmp.Diff(want, f.asked, protocmp.Transform()); diff != "" {
		t.Errorf("set rate (-want +got)\n%s", diff)
	}
}

func TestLoads_Reading(t *testing.T) {
	h := hdrhistogram.New(1, 10_000_000, 3)
	if err := h.RecordValues(1500, 98); err != nil {
		t.Fatal(err)
	}
	encoded, err := h.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
	if err != nil {
		t.Fatal(err)
	}
	f := &fakeLoadgen{stats: &loadgenv1.LoadStats{
		Name: "browse", Intended: 101, Sent: 100, Ok: 98, Errors: map[string]int64{"UNAVAILABLE": 2}, LatencyHistogram: encoded,
	}}
	for doing, read := range map[string]func(context.Context, string) (scenarios.LoadReading, error){"read": loads{f}.Read, "stop": loads{f}.Stop} {
		got, err := read(t.Context(), "browse")
		if err != nil {
			t.Fatalf("%s: %v", doing, err)
		}
		if got.Intended != 101 || got.Sent != 100 || got.OK != 98 || got.Errors["UNAVAILABLE"] != 2 || got.Latency.TotalCount() != 98 {
			t.Errorf("%s: %+v", doing, got)
		}
	}
	f.stats.AnsweredHistogram, f.stats.Refused = encoded, map[string]int64{"BREAKER_OPEN": 1}
	// The clock of the cluster is an hour late.
	f.stats.ReadAt = timestamppb.New(time.Now().Add(-time.Hour))
	f.stats.Failures = []*loadgenv1.FailurePeriod{{FirstFailedAt: f.stats.ReadAt, LastFailedAt: f.stats.ReadAt, Failed: 2, LongestOutage: durationpb.New(time.Second)}}
	got, err := loads{f}.Read(t.Context(), "browse")
	if err != nil || got.RefusedLocally() != 1 || got.Latency.TotalCount() != 98 || got.FailedLatency != nil {
		t.Errorf("%+v, %v", got, err)
	}
	if p := got.Failures[0]; p.Failed != 2 || p.Outage != time.Second || time.Since(p.Last) > time.Minute || got.At.IsZero() {
		t.Errorf("failures %+v, read at %s", got.Failures, got.At)
	}
	f.stats.AnsweredHistogram = []byte("no histogram")
	if _, err := (loads{f}).Read(t.Context(), "browse"); err == nil || !errorSays(err, "reading load browse: its histogram: ") {
		t.Errorf("a broken histogram: %v", err)
	}
}

func TestLoadError_OnlyNotFoundIsErrNoLoad(t *testing.T) {
	for _, c := range []struct {
		code codes.Code
		gone bool
	}{{codes.NotFound, true}, {codes.Unavailable, false}, {codes.AlreadyExists, false}} {
		l := loads{&fakeLoadgen{err: status.Error(c.code, "as it is")}}
		_, read := l.Read(t.Context(), "browse")
		_, stop := l.Stop(t.Context(), "browse")
		for doing, err := range map[string]error{
			"starting": l.Start(t.Context(), scenarios.LoadSpec{Name: "browse"}), "changing": l.SetRate(t.Context(), "browse", 1), "reading": read, "stopping": stop,
		} {
			if errors.Is(err, scenarios.ErrNoLoad) != c.gone || !errorSays(err, doing+" load browse: ") {
				t.Errorf("%s, %s: %v", doing, c.code, err)
			}
		}
	}
}

// mutedLoadgen never answers a call.
type mutedLoadgen struct{ loadgenv1.LoadGeneratorClient }

func (mutedLoadgen) StartLoad(ctx context.Context, _ *loadgenv1.StartLoadRequest, _ ...grpc.CallOption) (*loadgenv1.LoadStats, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (mutedLoadgen) SetRate(ctx context.Context, _ *loadgenv1.SetRateRequest, _ ...grpc.CallOption) (*loadgenv1.LoadStats, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (mutedLoadgen) SetGateway(ctx context.Context, _ *loadgenv1.SetGatewayRequest, _ ...grpc.CallOption) (*loadgenv1.LoadStats, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (mutedLoadgen) GetLoad(ctx context.Context, _ *loadgenv1.GetLoadRequest, _ ...grpc.CallOption) (*loadgenv1.LoadStats, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (mutedLoadgen) StopLoad(ctx context.Context, _ *loadgenv1.StopLoadRequest, _ ...grpc.CallOption) (*loadgenv1.LoadStats, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// mutedEvents never answers a call.
type mutedEvents struct{}

func (mutedEvents) Breakers(ctx context.Context, _ *telemetryv1.BreakersRequest, _ ...grpc.CallOption) (*telemetryv1.BreakersResponse, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (mutedEvents) Watch(ctx context.Context, _ *telemetryv1.WatchRequest, _ ...grpc.CallOption) (grpc.ServerStreamingClient[telemetryv1.Event], error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestLoads_EveryRequestHasADeadline(t *testing.T) {
	l := loads{mutedLoadgen{}}
	b := newBreakers(func(context.Context) (telemetryv1.EventsClient, error) { return mutedEvents{}, nil })
	for doing, do := range map[string]func(context.Context) error{
		"starting":  func(ctx context.Context) error { return l.Start(ctx, scenarios.LoadSpec{Name: "browse"}) },
		"changing":  func(ctx context.Context) error { return l.SetRate(ctx, "browse", 1) },
		"admitting": func(ctx context.Context) error { return l.setGateway(ctx, "browse", nil) },
		"reading":   func(ctx context.Context) error { _, err := l.Read(ctx, "browse"); return err },
		"stopping":  func(ctx context.Context) error { _, err := l.Stop(ctx, "browse"); return err },
		"breakers":  func(ctx context.Context) error { _, err := b.Breakers(ctx); return err },
		"following": func(ctx context.Context) error { _, err := b.Events(ctx, noon, 0); return err },
	} {
		t.Run(doing, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				started := time.Now()
				if err := do(t.Context()); err == nil {
					t.Error("no error")
				}
				if took := time.Since(started); took > stopRPCLimit {
					t.Errorf("it took %s", took)
				}
			})
		})
	}
}

func TestLoads_ErrorsNameTheLoadOfTheScenario(t *testing.T) {
	err := loads{&fakeLoadgen{err: status.Error(codes.AlreadyExists, "taken")}}.Start(t.Context(), scenarios.LoadSpec{Name: "20300102T030405Z-mine/browse"})
	if !errors.Is(err, scenarios.ErrLoadTaken) || err.Error() != "starting load browse: a load of this name is running" {
		t.Errorf("got %v", err)
	}
}

func TestPartnerLoads_CallThroughTheGateway(t *testing.T) {
	f := &fakeLoadgen{}
	var asked []string
	l := partnerLoads{loads{f}, func(_ context.Context, name string) (PartnerPair, error) {
		asked = append(asked, name)
		return PartnerPair{CertificatePEM: []byte("certificate"), KeyPEM: []byte("key"), RootsPEM: []byte("roots")}, nil
	}}
	for from, want := range map[string]string{"loadgen": "", "partner/acme": "gateway.shop.svc:8443"} {
		if err := l.Start(t.Context(), scenarios.LoadSpec{Name: "browse", From: from}); err != nil {
			t.Fatal(err)
		}
		sent, _ := f.asked.(*loadgenv1.StartLoadRequest)
		if got := sent.GetGateway(); got.GetAddress() != want || want != "" && string(got.GetKeyPem()) != "key" {
			t.Errorf("from %s: through %v, want %q", from, got, want)
		}
	}
	if len(asked) != 1 || asked[0] != "acme" {
		t.Errorf("certificates were issued to %q", asked)
	}
}

func TestPartnerLoads_AdmittedAgain(t *testing.T) {
	for name, c := range map[string]struct {
		answer error
		fails  bool
	}{
		"the load is running":         {nil, false},
		"the load is gone":            {status.Error(codes.NotFound, "no such load"), false},
		"the generator does not work": {status.Error(codes.Unavailable, "away"), true},
	} {
		t.Run(name, func(t *testing.T) {
			f := &fakeLoadgen{err: c.answer}
			l := partnerLoads{loads{f}, func(_ context.Context, name string) (PartnerPair, error) {
				return PartnerPair{CertificatePEM: []byte("certificate of " + name), KeyPEM: []byte("key"), RootsPEM: []byte("roots")}, nil
			}}
			if err := l.admit(t.Context(), "acme", []string{"run/browse"}); (err != nil) != c.fails || err != nil && !errorSays(err, "changing the certificate of load browse: ") {
				t.Error(err)
			}
			want := &loadgenv1.SetGatewayRequest{Name: "run/browse", Gateway: &loadgenv1.Gateway{Address: "gateway.shop.svc:8443",
				CertificatePem: []byte("certificate of acme"), KeyPem: []byte("key"), RootsPem: []byte("roots")}}
			if diff := cmp.Diff(any(want), f.asked, protocmp.Transform()); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}
