//go:build e2e

package e2e

import (
	"context"
	"path/filepath"
	"testing"
)

// nowhere sets all proxies and the module proxy to an address on which nothing listens.
var nowhere = []string{
	"HTTP_PROXY=http://127.0.0.1:9", "HTTPS_PROXY=http://127.0.0.1:9", "http_proxy=http://127.0.0.1:9", "https_proxy=http://127.0.0.1:9",
	"NO_PROXY=", "no_proxy=", "GOPROXY=http://127.0.0.1:9", "GOFLAGS=-mod=mod",
}

func TestUp_OfflineFromBundle(t *testing.T) {
	feature(t, "bundle without network", func(ctx context.Context, t *testing.T) {
		dir := t.TempDir()
		file := filepath.Join(dir, "sandbox.bundle")
		if err := shared.must(ctx, "images", "save", file); err != nil {
			t.Fatal(err)
		}
		// This is a machine with only the command and the bundle: no cache, no checkout, no network.
		offline := &provider{binary: shared.binary, name: "sandbox-e2e-offline", dir: dir, env: append([]string{
			"HOME=" + dir, "XDG_CONFIG_HOME=", "XDG_CACHE_HOME=", "GOMODCACHE=" + filepath.Join(dir, "mod"), "GOCACHE=" + filepath.Join(dir, "build"), "SANDBOX_SOURCE=",
		}, nowhere...)}
		defer func() {
			if err := offline.Destroy(context.WithoutCancel(ctx)); err != nil {
				t.Error(err)
			}
		}()
		if _, code, err := offline.run(ctx, "up"); err != nil || code == 0 {
			t.Fatalf("without the bundle up ended with %d, %v: the network is reachable", code, err)
		}
		if _, err := offline.Create(ctx, "--bundle", file); err != nil {
			t.Fatal(err)
		}
		if err := offline.must(ctx, "call", "user.v1.UserService/GetUser", `{"userId":"u-7"}`); err != nil {
			t.Error(err)
		}
	})
}
