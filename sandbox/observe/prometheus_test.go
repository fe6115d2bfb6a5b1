package observe

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
)

func TestEdges_RefusalsAreNotErrors(t *testing.T) {
	const (
		getUser = `"service":"loadgen","callee":"userservice","grpc_service":"user.v1.UserService","grpc_method":"GetUser"`
		charge  = `"service":"orderservice","callee":"paymentservice","grpc_service":"payment.v1.PaymentService","grpc_method":"Charge"`
		idle    = `"service":"loadgen","callee":"orderservice","grpc_service":"order.v1.OrderService","grpc_method":"PlaceOrder"`
	)
	p := prometheus(t, map[string]string{
		`handled_total{service!="", callee!=""}[10s]`: vector(sample(charge, "50"), sample(getUser, "200.5"), sample(idle, "0")),
		`grpc_code!~`: vector(sample(charge, "31"), sample(getUser, "100")),
		`breaker_rejected_total{service!="", callee!=""}[10s])) + sum by (service, callee, method) (rate(sandbox_concurrency_rejected_total`: vector(
			sample(`"service":"loadgen","callee":"userservice","method":"user.v1.UserService/GetUser"`, "80.2")),
		`histogram_quantile(0.5,`:   vector(sample(getUser, "0.0021"), sample(charge, "0.006"), sample(idle, "NaN")),
		`histogram_quantile(0.99, `: vector(sample(getUser, "0.009"), sample(charge, "+Inf"), sample(idle, "NaN"), sample(`"service":"gone"`, "1")),
	})
	got, err := p.Edges(t.Context(), 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	want := []telemetry.Edge{
		{Caller: "loadgen", Callee: "orderservice", Method: "order.v1.OrderService/PlaceOrder"},
		{Caller: "loadgen", Callee: "userservice", Method: "user.v1.UserService/GetUser", Rate: 200.5, Errors: 100/200.5 - 80.2/200.5, Refused: 80.2 / 200.5,
			P50: 2100 * time.Microsecond, P99: 9 * time.Millisecond},
		{Caller: "orderservice", Callee: "paymentservice", Method: "payment.v1.PaymentService/Charge", Rate: 50, Errors: 0.62,
			P50: 6 * time.Millisecond},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("edges (-want +got):\n%s", diff)
	}
}

func TestEdges_IdlePlatform(t *testing.T) {
	got, err := prometheus(t, nil).Edges(t.Context(), 10*time.Second)
	if err != nil || len(got) != 0 {
		t.Errorf("got %v, %v; want none", got, err)
	}
	_, err = prometheus(t, nil).Edges(t.Context(), 0)
	remedied(t, err, "a window of 10s")
}

func TestBreakers_MergePods(t *testing.T) {
	series := func(name, service, callee, pod, v string) string {
		return sample(fmt.Sprintf(`"__name__":%q,"service":%q,"callee":%q,"method":"M","pod":%q`, name, service, callee, pod), v)
	}
	state := func(service, callee, pod, v string) string {
		return series("sandbox_breaker_state", service, callee, pod, v)
	}
	since := func(service, callee, pod, v string) string {
		return series("sandbox_breaker_since_seconds", service, callee, pod, v)
	}
	p := prometheus(t, map[string]string{
		"sandbox_breaker_state": vector(state("o", "p", "a", "0"), state("o", "p", "b", "1"), state("o", "p", "c", "1"),
			state("o", "i", "a", "2"), state("l", "u", "a", "0")),
		"sandbox_breaker_since_seconds": vector(since("o", "p", "a", "900"), since("o", "p", "b", "1000.5"), since("o", "p", "c", "1001"),
			since("l", "u", "a", "NaN")),
	})
	got, err := p.Breakers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []telemetry.Breaker{
		{Caller: "l", Callee: "u", Method: "M", State: telemetry.Closed},
		{Caller: "o", Callee: "i", Method: "M", State: telemetry.HalfOpen},
		{Caller: "o", Callee: "p", Method: "M", State: telemetry.Open, Since: time.Unix(1001, 0), Reason: "in 2 of 3 pods"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("breakers (-want +got):\n%s", diff)
	}
}

func TestBreakers_UnknownState(t *testing.T) {
	p := prometheus(t, map[string]string{"sandbox_breaker_state": vector(sample(`"service":"o"`, "7"))})
	_, err := p.Breakers(t.Context())
	remedied(t, err, "sandbox up")
}

func TestValue_NeedsOneNumber(t *testing.T) {
	for _, tt := range []struct {
		name, result string
		want         float64
		err          error
		says         string
	}{
		{"a scalar", `{"resultType":"scalar","result":[1772366400,"3"]}`, 3, nil, ""},
		{"one series", vector(sample(``, "4.5")), 4.5, nil, ""},
		{"no series", vector(), 0, ErrNoData, "wait for two scrapes"},
		{"a quotient of zeros", vector(sample(``, "NaN")), 0, ErrNoData, "wait for two scrapes"},
		{"two series", vector(sample(`"a":"1"`, "1"), sample(`"a":"2"`, "2")), 0, nil, "sum(…)"},
		{"a range", `{"resultType":"matrix","result":[]}`, 0, nil, "an instant query"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := prometheus(t, map[string]string{"up": tt.result}).Value(t.Context(), "up")
			if tt.says != "" {
				remedied(t, err, tt.says)
			} else if err != nil {
				t.Error(err)
			}
			if got != tt.want || tt.err != nil && !errors.Is(err, tt.err) {
				t.Errorf("got %v, %v; want %v, %v", got, err, tt.want, tt.err)
			}
		})
	}
}

func TestTargetsUp_ReportsReasons(t *testing.T) {
	s := answering(t, func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"status":"success","data":{"activeTargets":[
			{"scrapePool":"shop","scrapeUrl":"http://10.244.0.7:9090/metrics","health":"up","lastError":"","lastScrape":"2026-03-01T12:00:00Z"},
			{"scrapePool":"shop","scrapeUrl":"http://10.244.0.8:9090/metrics","health":"down","lastError":"connection refused","lastScrape":"2026-03-01T12:00:00Z"},
			{"scrapePool":"shop","scrapeUrl":"http://10.244.0.9:9090/metrics","health":"unknown","lastError":"","lastScrape":"0001-01-01T00:00:00Z"}],
			"droppedTargets":[]}}`)
	})
	up, total, down, err := client(t, s.URL, time.Second).TargetsUp(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"shop http://10.244.0.8:9090/metrics: connection refused", "shop http://10.244.0.9:9090/metrics: not scraped yet"}
	if diff := cmp.Diff(want, down); up != 1 || total != 3 || diff != "" {
		t.Errorf("%d of %d up (-want +got):\n%s", up, total, diff)
	}
}

func TestPrometheus_ErrorsHaveRemedies(t *testing.T) {
	broken := append(breakages("prometheus"), breakage{"a bad query", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"status":"error","errorType":"bad_data","error":"invalid parameter \"query\": parse error"}`)
	}, "correct the query", 0})
	for _, b := range broken {
		t.Run(b.name, func(t *testing.T) {
			p := client(t, answering(t, b.serve).URL, b.limit)
			_, err := p.Value(t.Context(), "up")
			remedied(t, err, b.says)
			_, err = p.Edges(t.Context(), time.Second)
			remedied(t, err, b.says)
			_, err = p.Breakers(t.Context())
			remedied(t, err, b.says)
			_, _, _, err = p.TargetsUp(t.Context())
			remedied(t, err, b.says)
		})
	}
}

func TestPrometheus_ConnectionRefused(t *testing.T) {
	s := httptest.NewServer(nil)
	s.Close()
	_, err := client(t, s.URL, time.Second).Value(t.Context(), "up")
	remedied(t, err, "nothing listens at "+s.URL)
	_, err = NewJaeger("jaeger", s.URL, nil).Services(t.Context())
	remedied(t, err, "nothing listens at "+s.URL)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err = NewJaeger("jaeger", s.URL, nil).Services(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
	if _, err := NewPrometheus("prometheus", "://", nil); err == nil {
		t.Error("an address that is none was taken")
	}
}
