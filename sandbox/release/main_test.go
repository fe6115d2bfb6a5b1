package release

import (
	"testing"

	"go.uber.org/goleak"
)

// Helm's goroutine that watches the context blocks forever if the context ends after the upgrade.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("helm.sh/helm/v3/pkg/action.(*Upgrade).handleContext"))
}
