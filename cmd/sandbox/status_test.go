package main

import (
	"strings"
	"testing"

	"github.com/grpc-sandbox/sandbox/sandbox/cluster"
)

func TestStatusDocument_Table(t *testing.T) {
	doc := statusDocument{Name: "blue", Engine: "podman", KubernetesVersion: "v1.37.2", Memory: cluster.Memory{Usage: 1800e6, WorkingSet: 1500e6}, Releases: []releaseStatus{
		{Name: "pki", Namespace: "shop", Version: "0.1.0", Ready: true}, {Name: "userservice", Namespace: "shop", Version: "0.1.0", Why: "userservice has 2 of 3 pods ready"},
	}}
	var out strings.Builder
	if err := doc.writeTable(&out); err != nil {
		t.Fatal(err)
	}
	const want = `blue on podman, Kubernetes v1.37.2: not ready
memory of the node: working set 1.50 GB, with idle page cache 1.80 GB

RELEASE      NAMESPACE  VERSION  STATE      WHY
pki          shop       0.1.0    ready      
userservice  shop       0.1.0    not ready  userservice has 2 of 3 pods ready
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}
