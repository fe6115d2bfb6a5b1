package release

import (
	"testing"

	"go.uber.org/goleak"
)

// Helm's goroutine that watches the context waits for ever to tell of an end that comes after the upgrade's own.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("helm.sh/helm/v3/pkg/action.(*Upgrade).handleContext"))
}
