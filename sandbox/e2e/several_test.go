//go:build e2e

package e2e

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/grpc-sandbox/sandbox/sandbox"
	"github.com/grpc-sandbox/sandbox/sandbox/images"
	"github.com/grpc-sandbox/sandbox/sandbox/live"
	"github.com/grpc-sandbox/sandbox/services/user/userclient"
)

// TestUp_TwoSandboxesInOneProcess brings two sandboxes up at the same time, next to the shared one, and calls both through open connections.
func TestUp_TwoSandboxesInOneProcess(t *testing.T) {
	feature(t, "two at once", func(ctx context.Context, t *testing.T) {
		cache, err := os.UserCacheDir()
		if err != nil {
			t.Fatal(err)
		}
		folders := sandbox.Folders{Config: t.TempDir(), State: t.TempDir(), Cache: filepath.Join(cache, "sandbox")}
		names := []string{shared.name + "-a", shared.name + "-b"}
		for _, name := range names {
			t.Cleanup(func() {
				ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
				defer cancel()
				if found, err := sandbox.Down(ctx, sandbox.DownOptions{Name: name, Folders: folders}); err != nil || !found.Found {
					t.Errorf("removing %s: found %v, %v", name, found, err)
				}
			})
		}
		failed := make([]error, len(names))
		var all sync.WaitGroup
		for i, name := range names {
			all.Go(func() {
				_, failed[i] = sandbox.Up(ctx, sandbox.UpOptions{
					Name: name, Images: images.Auto, SourceTree: sandbox.FindSourceTree(here(t)), Folders: folders, FirstCall: live.FirstCall, LoadCall: live.LoadCall,
				})
			})
		}
		all.Wait()
		if err := errors.Join(failed...); err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			c, err := live.Open(ctx, folders, name)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			conn, err := c.Dial(ctx, "userservice")
			if err != nil {
				t.Fatal(err)
			}
			if err := userclient.Probe(ctx, conn); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

func here(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}
