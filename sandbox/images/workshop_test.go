package images

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWorkshopBegin_ReportsAllActivitiesInProgress(t *testing.T) {
	var told []string
	w := &Workshop{Doing: func(what string) { told = append(told, what) }}
	compiled := w.begin("compiling kube")
	unpacked := w.begin("unpacking")
	unpacked()
	compiled()
	w.begin("packing")()
	want := []string{"compiling kube", "compiling kube, unpacking", "compiling kube", "packing"}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}
