package images

import (
	"slices"
	"testing"
)

func TestNode_StampsTheKubernetesVersion(t *testing.T) {
	kube := Node{Kubernetes: "v1.37.2"}.binaries()[0]
	for _, want := range []string{
		"k8s.io/component-base/version.gitVersion=v1.37.2", "k8s.io/client-go/pkg/version.gitVersion=v1.37.2",
		"k8s.io/component-base/version.gitMajor=1", "k8s.io/component-base/version.gitMinor=37",
	} {
		if !slices.Contains(kube.Stamp, want) {
			t.Errorf("no stamp %s in %v", want, kube.Stamp)
		}
	}
}
