package images

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWorkshopBegin_ReportsAllActivitiesInProgress(t *testing.T) {
	var reported []string
	w := &Workshop{Doing: func(what string) { reported = append(reported, what) }}
	compiled := w.start("compiling kube")
	unpacked := w.start("unpacking")
	unpacked()
	compiled()
	w.start("packing")()
	want := []string{"compiling kube", "compiling kube, unpacking", "compiling kube", "packing"}
	if diff := cmp.Diff(want, reported); diff != "" {
		t.Errorf("reported (-want +got):\n%s", diff)
	}
}
