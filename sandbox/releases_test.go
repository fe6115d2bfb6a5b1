package sandbox

import (
	"slices"
	"testing"
)

func TestReleases_UseCatalogImages(t *testing.T) {
	for _, r := range Releases() {
		if slices.Contains(r.Images, "") {
			t.Errorf("%s runs an image that the catalog of images does not have: %q", r.Name, r.Images)
		}
	}
}
