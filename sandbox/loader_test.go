package sandbox

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"go.uber.org/goleak"

	"github.com/grpc-sandbox/sandbox/sandbox/images"
)

// fakeNode notes what is sent to it, and refuses as often as it is told.
type fakeNode struct {
	digests map[string]string
	refuse  int
	sent    int
}

func (n *fakeNode) NodeImages(context.Context) (map[string]string, map[string]bool, error) {
	return n.digests, map[string]bool{}, nil
}

func (n *fakeNode) LoadIntoNode(_ context.Context, write func(io.Writer) error) error {
	if n.refuse > 0 {
		n.refuse--
		return errors.New("the node is busy")
	}
	n.sent++
	return write(io.Discard)
}

func randomImage(t *testing.T) (v1.Image, string) {
	t.Helper()
	img, err := random.Image(100, 1)
	if err != nil {
		t.Fatal(err)
	}
	digest, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return img, digest.String()
}

func TestLoader(t *testing.T) {
	defer goleak.VerifyNone(t)
	img, digest := randomImage(t)
	for _, c := range []struct {
		sentence string
		node     fakeNode
		sent     int
		fails    bool
	}{
		{"every image goes into an empty node", fakeNode{digests: map[string]string{}}, 3, false},
		{"what the node has is left out", fakeNode{digests: map[string]string{"a": digest, "c": digest}}, 1, false},
		{"another image of the same name is replaced", fakeNode{digests: map[string]string{"a": "sha256:old"}}, 3, false},
		{"what failed in the background is tried once more", fakeNode{digests: map[string]string{}, refuse: 3}, 3, false},
		{"and then reported", fakeNode{digests: map[string]string{}, refuse: 6}, 0, true},
	} {
		l := newLoader(&c.node, []string{"a"}, []string{"b", "c"})
		var mu sync.Mutex
		var order []string
		l.wait = func(_ context.Context, ref string) (images.Ready, error) {
			mu.Lock()
			defer mu.Unlock()
			if !slices.Contains(order, ref) {
				order = append(order, ref)
			}
			return images.Ready{Entry: images.Entry{Ref: ref, Digest: digest}, Image: img}, nil
		}
		l.begin(t.Context())
		l.goOn(t.Context()) // begins nothing twice
		l.goOn(t.Context())
		failed := false
		for _, ref := range []string{"a", "b", "c"} {
			got, err := l.load(t.Context(), ref, func(string) {})
			failed = failed || err != nil
			if err == nil && got != digest {
				t.Errorf("%s: %s has digest %s, want %s", c.sentence, ref, got, digest)
			}
		}
		l.stop()
		if failed != c.fails || c.node.sent != c.sent || l.loaded() != c.sent {
			t.Errorf("%s: sent %d images, want %d; failed: %t", c.sentence, c.node.sent, c.sent, failed)
		}
		if !slices.Equal(order, []string{"a", "b", "c"}) {
			t.Errorf("%s: loaded in the order %v", c.sentence, order)
		}
	}
}

func TestOnlyTheFirstImagesGoInWhileKindWorks(t *testing.T) {
	img, digest := randomImage(t)
	n := &fakeNode{digests: map[string]string{}}
	synctest.Test(t, func(t *testing.T) {
		l := newLoader(n, []string{"a"}, []string{"b"})
		l.wait = func(_ context.Context, ref string) (images.Ready, error) {
			return images.Ready{Entry: images.Entry{Ref: ref, Digest: digest}, Image: img}, nil
		}
		l.begin(t.Context())
		synctest.Wait()
		if diff := cmp.Diff(map[string]string{"a": digest}, n.digests); diff != "" {
			t.Errorf("while kind works (-want +got):\n%s", diff)
		}
		l.goOn(t.Context())
		synctest.Wait() // nobody asks for them
		if diff := cmp.Diff(map[string]string{"a": digest, "b": digest}, n.digests); diff != "" {
			t.Errorf("after kind (-want +got):\n%s", diff)
		}
		l.stop()
	})
}

func TestDamagedImageIsMadeAnew(t *testing.T) {
	img, digest := randomImage(t)
	n := &fakeNode{digests: map[string]string{}}
	l := newLoader(n, []string{"a"}, nil)
	l.wait = func(_ context.Context, ref string) (images.Ready, error) {
		return images.Ready{Entry: images.Entry{Ref: ref, Digest: "sha256:damaged"}, Image: damaged{img}}, nil
	}
	l.renew = func(_ context.Context, r images.Ready) (images.Ready, error) {
		return images.Ready{Entry: images.Entry{Ref: r.Ref, Digest: digest}, Image: img}, nil
	}
	l.begin(t.Context())
	defer l.stop()
	if got, err := l.load(t.Context(), "a", func(string) {}); err != nil || got != digest {
		t.Errorf("a damaged image: %s, %v", got, err)
	}
}

// damaged is an image whose layers cannot be read.
type damaged struct{ v1.Image }

func (damaged) Layers() ([]v1.Layer, error) { return nil, images.ErrCorrupt }
