package sandbox

import (
	"slices"
	"testing"

	"github.com/grpc-sandbox/sandbox/sandbox/images"
)

func TestReleases_UseCatalogImages(t *testing.T) {
	for _, r := range Releases() {
		if slices.Contains(r.Images, "") {
			t.Errorf("%s runs an image that the catalog of images does not have: %q", r.Name, r.Images)
		}
	}
}

func TestReleases_UpstreamChartHasTheVersionOfItsImages(t *testing.T) {
	for _, r := range Releases() {
		if r.Upstream != nil && (r.Upstream.Version != images.CertManagerVersion || r.Upstream.Module == "") {
			t.Errorf("%s: %+v", r.Name, r.Upstream)
		}
	}
}
