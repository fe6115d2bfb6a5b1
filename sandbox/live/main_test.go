package live

import (
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func errorSays(err error, part string) bool { return err != nil && strings.Contains(err.Error(), part) }
