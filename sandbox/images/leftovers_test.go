package images

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// leftover creates the scratch folder of a build that was killed two hours ago.
func leftover(t *testing.T, c *Cache, name string) string {
	t.Helper()
	dir := filepath.Join(c.dir, name)
	write(t, filepath.Join(dir, "rootfs/proc/x"), "x")
	age(t, dir)
	return dir
}

func age(t *testing.T, dir string) {
	t.Helper()
	past := time.Now().Add(-2 * time.Hour)
	if err := os.Chtimes(dir, past, past); err != nil {
		t.Fatal(err)
	}
}

// mountOn mounts an empty file system, as debootstrap mounts the kernel's.
func mountOn(t *testing.T, dir string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("none", dir, "tmpfs", 0, ""); err != nil {
		t.Skipf("mounting needs root and a machine that permits it: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	write(t, filepath.Join(dir, "x"), "x")
}

func TestRemoveLeftovers_OfKilledBuildsOnly(t *testing.T) {
	c := newCache(t)
	old, fresh := leftover(t, c, "build-1"), filepath.Join(c.dir, "build-2")
	write(t, filepath.Join(fresh, "x"), "x")
	if err := c.RemoveLeftovers(); err != nil {
		t.Fatal(err)
	}
	if exists(old) || !exists(fresh) {
		t.Errorf("the killed build's folder is there: %v; the running build's folder is there: %v", exists(old), exists(fresh))
	}
}

func TestRemoveScratch_UnmountsFirst(t *testing.T) {
	c := newCache(t)
	old := leftover(t, c, "build-1")
	mountOn(t, filepath.Join(old, "rootfs/proc"))
	mountOn(t, filepath.Join(old, "rootfs/proc/sys inner"))
	age(t, old)
	if err := c.RemoveLeftovers(); err != nil || exists(old) {
		t.Errorf("the killed build's folder is there: %v; %v", exists(old), err)
	}
}

func TestGet_FailedBuildLeavesNothingMounted(t *testing.T) {
	s := newShop(t, "", false)
	s.image.Recipe = fakeRecipe{build: func(_ context.Context, w *Workshop) (v1.Image, error) {
		mountOn(t, filepath.Join(w.Scratch, "rootfs/proc"))
		return nil, errors.New("interrupted")
	}}
	_, err := s.store.Get(t.Context(), s.image)
	wantError(t, err, nil, "interrupted")
	if left, _ := filepath.Glob(filepath.Join(s.store.Cache.dir, "build-*")); len(left) != 0 {
		t.Errorf("the build left %v", left)
	}
}

func TestRemoveLeftovers_ContinuesAfterFailure(t *testing.T) {
	c := newCache(t)
	stuck, gone := leftover(t, c, "build-1"), leftover(t, c, "build-2")
	wantError(t, c.removeLeftovers(func(dir string) error {
		if dir == stuck {
			return os.ErrPermission
		}
		return removeScratch(dir)
	}), os.ErrPermission, "removing what a killed build left", "\ntry: unmount as root", "sudo rm -r --one-file-system "+stuck)
	if exists(gone) {
		t.Error("the one after it was not removed")
	}
}

func TestMountsBelow_InnermostFirst(t *testing.T) {
	const mountinfo = `22 1 8:1 / / rw - ext4 /dev/sda1 rw
40 22 0:5 / /c/build-1/rootfs/proc rw,nosuid shared:5 - proc proc rw
41 40 0:6 / /c/build-1/rootfs/proc/a\040b\134c rw - tmpfs none rw
42 22 0:7 / /c/build-12/rootfs/proc rw - proc proc rw
43 22 0:8 / /c/build-1 rw - tmpfs none rw
short line
`
	for _, c := range []struct {
		sentence, dir string
		want          []string
	}{
		{"the innermost mount comes first, by its real path", "/c/build-1", []string{`/c/build-1/rootfs/proc/a b\c`, "/c/build-1/rootfs/proc"}},
		{"nothing is mounted", "/c/build-2", nil},
	} {
		if got := mountsBelow(mountinfo, c.dir); strings.Join(got, "|") != strings.Join(c.want, "|") {
			t.Errorf("%s: got %q, want %q", c.sentence, got, c.want)
		}
	}
	for in, want := range map[string]string{`\`: `\`, `a\04`: `a\04`, `\999`: `\999`, `a\011`: "a\t"} {
		if got := unescape(in); got != want {
			t.Errorf("%q is read as %q, want %q", in, got, want)
		}
	}
}
