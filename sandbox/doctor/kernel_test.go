package doctor

import "testing"

func TestRootNeedsNoFolderOfModulesBefore(t *testing.T) {
	p := fit()
	delete(p.files, "lib/modules/6.12/modules.dep")
	if got := modules(t.Context(), p.World); got.Outcome != Pass || got.Message != "/lib/modules is missing; sandbox up makes it" {
		t.Errorf("%s %q", got.Outcome, got.Message)
	}
}
