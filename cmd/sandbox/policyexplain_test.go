package main

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/grpc-sandbox/sandbox/sandbox/live/traffic"
	"github.com/grpc-sandbox/sandbox/services/control/api"
	"github.com/grpc-sandbox/sandbox/services/control/controlv1"
)

// fakeSources have one policy and one mounted file.
type fakeSources struct{ object api.TrafficPolicy }

func (f fakeSources) Explain(context.Context, string, string) ([]*controlv1.ExplainedValue, error) {
	return []*controlv1.ExplainedValue{{Side: "server", Field: "maxRequestsPerSecond", Object: "TrafficPolicy shop/limit"}}, nil
}
func (f fakeSources) Policies(context.Context) ([]api.TrafficPolicy, error) {
	return []api.TrafficPolicy{f.object}, nil
}
func (f fakeSources) MountedFiles(context.Context) ([]traffic.MountedFile, error) {
	return []traffic.MountedFile{{Service: "orderservice", Name: "configmap/orderservice-policy",
		Text: "client: [{callee: userservice, method: user.v1.UserService/GetUser, deadline: {timeout: 2s}}]"}}, nil
}

func TestPolicyExplain_TableAndJSON(t *testing.T) {
	object, err := limitDocument(t)[0].Object()
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := (explainedPolicy{Service: "userservice"}).explain(t.Context(), &out, fakeSources{object}, true, false); err != nil {
		t.Fatal(err)
	}
	const want = `SIDE    METHOD                       FIELD                 VALUE  FROM                  AT
server  *                            maxRequestsPerSecond  50     TrafficPolicy limit   limit.yaml:6
client  user.v1.UserService/GetUser  deadline.timeout      2s     file of orderservice  configmap/orderservice-policy:1
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
	out.Reset()
	if err := (explainedPolicy{Service: "userservice"}).explain(t.Context(), &out, fakeSources{object}, false, false); err != nil {
		t.Fatal(err)
	}
	for _, row := range []string{"client  *   deadline.timeout  1s  default", "server  *   bulkhead  none  default"} {
		if !strings.Contains(strings.Join(strings.Fields(out.String()), " "), strings.Join(strings.Fields(row), " ")) {
			t.Errorf("no row %q in\n%s", row, out.String())
		}
	}
	out.Reset()
	if err := (explainedPolicy{Service: "userservice"}).explain(t.Context(), &out, fakeSources{object}, true, true); err != nil {
		t.Fatal(err)
	}
	const wantJSON = `{
  "service": "userservice",
  "values": [
    {
      "side": "server",
      "method": "",
      "field": "maxRequestsPerSecond",
      "value": "50",
      "from": "TrafficPolicy limit",
      "at": "limit.yaml:6"
    },
`
	if !strings.HasPrefix(out.String(), wantJSON) {
		t.Errorf("JSON %s", out.String())
	}
}
