//go:build e2e

package e2e

import (
	"context"
	"path/filepath"
	"testing"
)

// nowhere makes every proxy and module proxy an address that nobody listens on.
var nowhere = []string{
	"HTTP_PROXY=http://127.0.0.1:9", "HTTPS_PROXY=http://127.0.0.1:9", "http_proxy=http://127.0.0.1:9", "https_proxy=http://127.0.0.1:9",
	"NO_PROXY=", "no_proxy=", "GOPROXY=http://127.0.0.1:9", "GOFLAGS=-mod=mod",
}

func TestBundleIsAllThatUpNeeds(t *testing.T) {
	feature(t, "bundle without network", func(ctx context.Context, t *testing.T) {
		dir := t.TempDir()
		file := filepath.Join(dir, "sandbox.bundle")
		if err := world.must(ctx, "images", "save", file); err != nil {
			t.Fatal(err)
		}
		// A machine that has the command and the file: no cache, no checkout, no network.
		offline := &provider{binary: world.binary, name: "sandbox-e2e-offline", dir: dir, env: append([]string{
			"HOME=" + dir, "XDG_CONFIG_HOME=", "XDG_CACHE_HOME=", "GOMODCACHE=" + filepath.Join(dir, "mod"), "GOCACHE=" + filepath.Join(dir, "build"), "SANDBOX_SOURCE=",
		}, nowhere...)}
		defer func() {
			if err := offline.Destroy(context.WithoutCancel(ctx)); err != nil {
				t.Error(err)
			}
		}()
		if _, code, err := offline.run(ctx, "up"); err != nil || code == 0 {
			t.Fatalf("without the bundle up ended with %d, %v: the test cuts nothing off", code, err)
		}
		if _, err := offline.Create(ctx, "--bundle", file); err != nil {
			t.Fatal(err)
		}
		if err := offline.must(ctx, "call", "user.v1.UserService/GetUser", `{"userId":"u-7"}`); err != nil {
			t.Error(err)
		}
	})
}
