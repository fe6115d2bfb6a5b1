package images

import (
	"bytes"
	"context"
	"crypto/rand"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/grpc-sandbox/sandbox/sandbox/fixture"
)

func TestCacheLock_WaitIsCancelled(t *testing.T) {
	from := newCache(t)
	bundle := save(t, from, twoReady(t, from), nil)
	for what, do := range map[string]func(context.Context, *Cache) error{
		"putting": func(ctx context.Context, c *Cache) error {
			_, _, err := c.Put(ctx, Entry{Ref: "example.org/a:1", Key: "a"}, imageOf(t, "a", "b"))
			return err
		},
		"removing": func(ctx context.Context, c *Cache) error { return c.Remove(ctx, "a") },
		"loading": func(ctx context.Context, c *Cache) error {
			_, err := c.Load(ctx, bytes.NewReader(bundle), t.TempDir())
			return err
		},
	} {
		t.Run(what, func(t *testing.T) {
			c := newCache(t)
			unlock, err := c.tryLock()
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(10*time.Millisecond, cancel)
			wantError(t, do(ctx, c), context.Canceled, "another process")
			if entries, err := c.Entries(); err != nil || len(entries) != 0 {
				t.Errorf("entries %v, %v", entries, err)
			}
			time.AfterFunc(10*time.Millisecond, unlock)
			if err := do(t.Context(), c); err != nil {
				t.Errorf("once the lock is free: %v", err)
			}
		})
	}
}

func TestRemoveLeftovers_DoesNotWaitForTheLock(t *testing.T) {
	c := newCache(t)
	old := leftover(t, c, "build-1")
	unlock, err := c.tryLock()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.RemoveLeftovers(); err != nil || !exists(old) {
		t.Errorf("%v; the leftover is there: %v", err, exists(old))
	}
	unlock()
	if err := c.RemoveLeftovers(); err != nil || exists(old) {
		t.Errorf("%v; the leftover is there: %v", err, exists(old))
	}
}

func TestRemoveLeftovers_KeepsTheFolderOfALongBuild(t *testing.T) {
	s := newShop(t, "", false)
	s.image.Recipe = fakeRecipe{build: func(_ context.Context, w *Workshop) (v1.Image, error) {
		age(t, w.Scratch)
		if err := s.store.Cache.RemoveLeftovers(); err != nil || !exists(w.Scratch) {
			t.Errorf("%v; the folder is there: %v", err, exists(w.Scratch))
		}
		return imageOf(t, "a", "b"), nil
	}}
	if _, err := s.store.Get(t.Context(), s.image); err != nil {
		t.Fatal(err)
	}
}

// stopAfter cancels a context after n bytes.
type stopAfter struct {
	n    int
	stop context.CancelFunc
}

func (s *stopAfter) count(n int) {
	if s.n -= n; s.n <= 0 {
		s.stop()
	}
}

func (s *stopAfter) Write(p []byte) (int, error) { s.count(len(p)); return len(p), nil }

func TestBundle_CancelledInTheMiddle(t *testing.T) {
	from, to := newCache(t), newCache(t)
	all := twoReady(t, from)
	// This is more than the compressor buffers.
	noise := make([]byte, 4<<20)
	_, _ = rand.Read(noise)
	extra := filepath.Join(t.TempDir(), "chart.tgz")
	write(t, extra, string(noise))
	files := map[string]string{"charts/chart.tgz": extra}
	bundle := save(t, from, all, files)

	ctx, cancel := context.WithCancel(t.Context())
	wantError(t, from.Save(ctx, &stopAfter{1, cancel}, all, files), context.Canceled)

	ctx, cancel = context.WithCancel(t.Context())
	_, err := to.Load(ctx, io.TeeReader(bytes.NewReader(bundle), &stopAfter{len(bundle) / 2, cancel}), t.TempDir())
	wantError(t, err, context.Canceled)
	if strings.Contains(fixture.ErrorText(err), "write it again") {
		t.Errorf("%q blames the bundle", err)
	}
	entries, err := to.Entries()
	if err != nil {
		t.Fatal(err)
	}
	// Entries before the cancellation are complete.
	for _, e := range entries {
		if _, img, err := to.Get(e.Key); err != nil || to.Verify(t.Context(), img) != nil {
			t.Errorf("%s is half there: %v", e.Ref, err)
		}
	}
}
