package charts

import (
	"strings"
	"testing"

	bootstrap "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"sigs.k8s.io/yaml"
)

// withEnvoy is the release of userservice with the one value that adds a sidecar.
func withEnvoy(t *testing.T) string {
	t.Helper()
	for _, r := range ours() {
		if r.Name == "userservice" {
			values := map[string]any{"envoyImage": "envoyproxy/envoy:v1.39.0"}
			for name, value := range r.Values {
				values[name] = value
			}
			return render(t, r, values)
		}
	}
	t.Fatal("there is no userservice")
	return ""
}

func TestEnvoy_GoldenFile(t *testing.T) {
	golden(t, "userservice-envoy.yaml", withEnvoy(t))
}

// TestEnvoy_Bootstrap: the file is valid by Envoy's own protos. Envoy itself does not run here.
func TestEnvoy_Bootstrap(t *testing.T) {
	var file string
	for _, document := range strings.Split(withEnvoy(t), "\n---\n") {
		var m struct {
			Metadata struct{ Name string }
			Data     map[string]string
		}
		if err := yaml.Unmarshal([]byte(document), &m); err != nil {
			t.Fatal(err)
		}
		if m.Metadata.Name == "userservice-envoy" {
			file = m.Data["envoy.yaml"]
		}
	}
	text, err := yaml.YAMLToJSON([]byte(file))
	if err != nil {
		t.Fatal(err)
	}
	var b bootstrap.Bootstrap
	if err := protojson.Unmarshal(text, &b); err != nil {
		t.Fatal(err)
	}
	if err := b.ValidateAll(); err != nil {
		t.Error(err)
	}
	clusters := b.GetStaticResources().GetClusters()
	if len(clusters) != 1 {
		t.Fatalf("%d clusters", len(clusters))
	}
	for _, option := range clusters[0].GetTypedExtensionProtocolOptions() {
		m, err := option.UnmarshalNew()
		if err != nil {
			t.Fatal(err)
		}
		if err := m.(interface{ ValidateAll() error }).ValidateAll(); err != nil {
			t.Error(err)
		}
	}
	at := clusters[0].GetLoadAssignment().GetEndpoints()[0].GetLbEndpoints()[0].GetEndpoint().GetAddress().GetSocketAddress()
	if at.GetAddress() != "control.sandbox-system.svc" || at.GetPortValue() != 8443 {
		t.Errorf("the control plane is at %v", at)
	}
}
