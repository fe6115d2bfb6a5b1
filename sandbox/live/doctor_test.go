package live

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/grpc-sandbox/sandbox/charts"
	"github.com/grpc-sandbox/sandbox/sandbox"
	"github.com/grpc-sandbox/sandbox/sandbox/doctor"
	"github.com/grpc-sandbox/sandbox/sandbox/kube"
	"github.com/grpc-sandbox/sandbox/sandbox/observe"
	"github.com/grpc-sandbox/sandbox/sandbox/release"
)

func TestNodes_HaveReasons(t *testing.T) {
	node := func(name string, c ...corev1.NodeCondition) *corev1.Node {
		return &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}, Status: corev1.NodeStatus{Conditions: c}}
	}
	s := &Cluster{Kube: &kube.Client{Kube: fake.NewClientset(
		node("a", corev1.NodeCondition{Type: "DiskPressure", Status: "False"}, corev1.NodeCondition{Type: "Ready", Status: "True", Message: "kubelet is posting ready status"}),
		node("b", corev1.NodeCondition{Type: "Ready", Status: "False", Message: "the network plugin is not ready"}),
		node("c"),
	)}}
	got, err := s.nodes(t.Context())
	want := []doctor.Node{{Name: "a", Ready: true, Why: "kubelet is posting ready status"}, {Name: "b", Why: "the network plugin is not ready"}, {Name: "c"}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got)\n%s", err, diff)
	}
}

func TestPods_ReleaseWithTheirLogs(t *testing.T) {
	pod := func(namespace, name, label string) *corev1.Pod {
		return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{kube.ReleaseLabel: label}}}
	}
	s := &Cluster{Kube: &kube.Client{Kube: fake.NewClientset(
		pod("shop", "userservice-1", "userservice"), pod("shop", "stranger", "stranger"), pod("sandbox-system", "jaeger-1", "jaeger"),
		pod("cert-manager", "cert-manager-1", "cert-manager"), pod("cert-manager", "cert-manager-webhook-1", "webhook"),
		pod("kube-system", "coredns-1", ""),
	)}}
	all, err := s.pods(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, p := range all {
		got[p.Name] = p.Release
		inCatalog := slices.ContainsFunc(sandbox.Releases(), func(r charts.Release) bool { return r.Name == p.Release && r.Selector != "" })
		if p.Release != "" && !inCatalog {
			t.Errorf("%s: %s is not a release with pods", p.Name, p.Release)
		}
	}
	want := map[string]string{"userservice-1": "userservice", "stranger": "", "jaeger-1": "jaeger", "cert-manager-1": "cert-manager",
		"cert-manager-webhook-1": "cert-manager", "coredns-1": ""}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestDeployed_ComparesCatalogAndHelm(t *testing.T) {
	catalog := []charts.Release{{Name: "a", Namespace: "one"}, {Name: "b", Namespace: "one"}, {Name: "c", Namespace: "two"}}
	got := deployed(catalog, []release.State{{Name: "a", Namespace: "one", Status: "deployed"}, {Name: "b", Namespace: "one", Status: "pending-upgrade"},
		{Name: "c", Namespace: "elsewhere", Status: "deployed"}})
	want := []doctor.Release{{Name: "a", Namespace: "one", Deployed: true}, {Name: "b", Namespace: "one", Why: "its Helm release is pending-upgrade"},
		{Name: "c", Namespace: "two", Why: "not installed"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

type answer func(*http.Request) (*http.Response, error)

func (a answer) RoundTrip(r *http.Request) (*http.Response, error) { return a(r) }

// metered returns a cluster whose Prometheus returns the same result for every query.
func metered(t *testing.T, status int, result string, asked *string) *Cluster {
	t.Helper()
	client := &http.Client{Transport: answer(func(r *http.Request) (*http.Response, error) {
		form, _ := io.ReadAll(r.Body)
		*asked += string(form)
		body := `{"status":"success","data":{"resultType":"vector","result":` + result + `}}`
		return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
	})}
	p, err := observe.NewPrometheus(charts.MetricsStore, "http://prometheus", client)
	if err != nil {
		t.Fatal(err)
	}
	return &Cluster{Prometheus: p, Jaeger: observe.NewJaeger(charts.TraceStore, "http://jaeger", client)}
}

func TestCalled_OnlyServicesWithCalls(t *testing.T) {
	edge := func(callee, method, rate string) string {
		return `{"metric":{"service":"loadgen","callee":"` + callee + `","grpc_method":"` + method + `"},"value":[1,"` + rate + `"]}`
	}
	var asked string
	s := metered(t, 200, "["+edge("userservice", "A", "20")+","+edge("userservice", "B", "1")+","+edge("orderservice", "C", "0")+"]", &asked)
	got, err := s.called(t.Context())
	if diff := cmp.Diff([]string{"userservice"}, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got)\n%s", err, diff)
	}
}

func TestCallRate_WithoutCallsIsZero(t *testing.T) {
	for _, c := range []struct {
		sentence, result string
		status           int
		want             float64
		fails            bool
	}{
		{"calls", `[{"metric":{},"value":[1,"19.5"]}]`, 200, 19.5, false},
		{"no data yet", `[]`, 200, 0, false},
		{"Prometheus does not answer", `[]`, 500, 0, true},
	} {
		asked := ""
		s := metered(t, c.status, c.result, &asked)
		got, err := s.Doctor().CallRate(t.Context())
		if got != c.want || (err != nil) != c.fails {
			t.Errorf("%s: %v, %v", c.sentence, got, err)
		}
		if !strings.Contains(asked, "grpc_client_handled_total") {
			t.Errorf("%s: the query was %q", c.sentence, asked)
		}
	}
}
