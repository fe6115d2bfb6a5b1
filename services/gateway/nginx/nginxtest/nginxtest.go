// Package nginxtest finds the nginx of this machine for tests.
package nginxtest

import (
	"os"
	"os/exec"
	"testing"
)

// Program returns the path of nginx. Without nginx, it skips the test, or fails it if SANDBOX_REQUIRE_NGINX is set.
func Program(t testing.TB) string {
	t.Helper()
	for _, at := range []string{"nginx", "/usr/sbin/nginx"} {
		if program, err := exec.LookPath(at); err == nil {
			return program
		}
	}
	if os.Getenv("SANDBOX_REQUIRE_NGINX") != "" { //nolint:forbidigo // only tests import this package
		t.Fatal("nginx is not installed")
	}
	t.Skip("nginx is not installed")
	return ""
}
