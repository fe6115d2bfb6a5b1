package sandbox

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"go.uber.org/goleak"

	"github.com/grpc-sandbox/sandbox/sandbox/images"
)

// fakeNode records what is sent to it, and fails the given number of times.
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

func TestLoader_LoadsEachImageOnce(t *testing.T) {
	defer goleak.VerifyNone(t)
	img, digest := randomImage(t)
	for _, c := range []struct {
		sentence string
		node     fakeNode
		sent     int
	}{
		{"every image goes into an empty node", fakeNode{digests: map[string]string{}}, 3},
		{"images in the node are skipped", fakeNode{digests: map[string]string{"a": digest, "c": digest}}, 1},
		{"another image of the same name is replaced", fakeNode{digests: map[string]string{"a": "sha256:old"}}, 3},
	} {
		l := newLoader(&c.node, []string{"a"}, []string{"b", "c"})
		l.wait = func(_ context.Context, ref string) (images.Ready, error) {
			return images.Ready{Entry: images.Entry{Ref: ref, Digest: digest}, Image: img}, nil
		}
		l.startFirst(t.Context())
		// Starting twice has no effect.
		l.startRest(t.Context())
		l.startRest(t.Context())
		for _, ref := range []string{"a", "b", "c"} {
			got, err := l.load(t.Context(), ref)
			if err != nil || got != digest {
				t.Errorf("%s: %s has digest %s, want %s; %v", c.sentence, ref, got, digest, err)
			}
		}
		l.stop()
		if c.node.sent != c.sent || l.loaded() != c.sent {
			t.Errorf("%s: sent %d images, want %d", c.sentence, c.node.sent, c.sent)
		}
	}
}

func TestLoader_RetriesABackgroundFailure(t *testing.T) {
	img, digest := randomImage(t)
	for refusals, want := range map[int]string{1: digest, 2: ""} {
		synctest.Test(t, func(t *testing.T) {
			l := newLoader(&fakeNode{digests: map[string]string{}, refuse: refusals}, []string{"a"}, nil)
			l.wait = func(_ context.Context, ref string) (images.Ready, error) {
				return images.Ready{Entry: images.Entry{Ref: ref, Digest: digest}, Image: img}, nil
			}
			l.startFirst(t.Context())
			synctest.Wait()
			if got, err := l.load(t.Context(), "a"); got != want || (err == nil) != (want != "") {
				t.Errorf("after %d refusals: %q, %v", refusals, got, err)
			}
			l.stop()
		})
	}
}

func TestLoader_DoesNotBlockOnUnpreparedImages(t *testing.T) {
	img, digest := randomImage(t)
	l := newLoader(&fakeNode{digests: map[string]string{}}, nil, []string{"slow", "made"})
	l.wait = func(ctx context.Context, ref string) (images.Ready, error) {
		if ref == "slow" {
			<-ctx.Done()
			return images.Ready{}, ctx.Err()
		}
		return images.Ready{Entry: images.Entry{Ref: ref, Digest: digest}, Image: img}, nil
	}
	l.startRest(t.Context())
	defer l.stop()
	if got, err := l.load(t.Context(), "made"); err != nil || got != digest {
		t.Errorf("%s, %v", got, err)
	}
}

func TestLoad_ImageInNodeDoesNotWait(t *testing.T) {
	img, digest := randomImage(t)
	synctest.Test(t, func(t *testing.T) {
		n := &stuckNode{}
		l := newLoader(n, []string{"first"}, []string{"big"})
		l.wait = func(_ context.Context, ref string) (images.Ready, error) {
			return images.Ready{Entry: images.Entry{Ref: ref, Digest: digest}, Image: img}, nil
		}
		l.startRest(t.Context())
		synctest.Wait()
		if !n.stuck {
			t.Fatal("the big image is not under way")
		}
		if got, err := l.load(t.Context(), "first"); err != nil || got != digest {
			t.Errorf("%s, %v", got, err)
		}
		l.stop()
	})
}

// stuckNode accepts one image. Sending the next one blocks forever.
type stuckNode struct {
	fakeNode
	stuck bool
}

func (n *stuckNode) NodeImages(context.Context) (map[string]string, map[string]bool, error) {
	return map[string]string{}, map[string]bool{}, nil
}

func (n *stuckNode) LoadIntoNode(ctx context.Context, write func(io.Writer) error) error {
	if n.sent == 1 {
		n.stuck = true
		<-ctx.Done()
		return ctx.Err()
	}
	return n.fakeNode.LoadIntoNode(ctx, write)
}

func TestStartRest_IsNeededForTheRest(t *testing.T) {
	img, digest := randomImage(t)
	n := &fakeNode{digests: map[string]string{}}
	synctest.Test(t, func(t *testing.T) {
		l := newLoader(n, []string{"a"}, []string{"b"})
		l.wait = func(_ context.Context, ref string) (images.Ready, error) {
			return images.Ready{Entry: images.Entry{Ref: ref, Digest: digest}, Image: img}, nil
		}
		l.startFirst(t.Context())
		synctest.Wait()
		if diff := cmp.Diff(map[string]string{"a": digest}, n.digests); diff != "" {
			t.Errorf("before (-want +got):\n%s", diff)
		}
		l.startRest(t.Context())
		// Nothing waits for these images.
		synctest.Wait()
		if diff := cmp.Diff(map[string]string{"a": digest, "b": digest}, n.digests); diff != "" {
			t.Errorf("afterwards (-want +got):\n%s", diff)
		}
		l.stop()
	})
}

func TestLoad_RenewsADamagedImage(t *testing.T) {
	img, digest := randomImage(t)
	n := &fakeNode{digests: map[string]string{}}
	l := newLoader(n, []string{"a"}, nil)
	l.wait = func(_ context.Context, ref string) (images.Ready, error) {
		return images.Ready{Entry: images.Entry{Ref: ref, Digest: "sha256:damaged"}, Image: damaged{img}}, nil
	}
	l.renew = func(_ context.Context, r images.Ready) (images.Ready, error) {
		return images.Ready{Entry: images.Entry{Ref: r.Ref, Digest: digest}, Image: img}, nil
	}
	l.startFirst(t.Context())
	defer l.stop()
	if got, err := l.load(t.Context(), "a"); err != nil || got != digest {
		t.Errorf("a damaged image: %s, %v", got, err)
	}
}

// damaged is an image whose layers cannot be read.
type damaged struct{ v1.Image }

func (damaged) Layers() ([]v1.Layer, error) { return nil, images.ErrCorrupt }

// gatedNode accepts an image when the gate is opened.
type gatedNode struct {
	fakeNode
	gate chan struct{}
}

func (n *gatedNode) LoadIntoNode(ctx context.Context, write func(io.Writer) error) error {
	<-n.gate
	return n.fakeNode.LoadIntoNode(ctx, write)
}

func TestLoad_ServesTheEarliestNeededImageFirst(t *testing.T) {
	img, digest := randomImage(t)
	synctest.Test(t, func(t *testing.T) {
		n := &gatedNode{fakeNode{digests: map[string]string{}}, make(chan struct{})}
		l := newLoader(n, []string{"call"}, []string{"shop", "view", "later"})
		l.wait = func(_ context.Context, ref string) (images.Ready, error) {
			return images.Ready{Entry: images.Entry{Ref: ref, Digest: digest}, Image: img}, nil
		}
		var went []string
		for _, ref := range []string{"view", "later", "shop", "call"} {
			go func() {
				if _, err := l.load(t.Context(), ref); err != nil {
					t.Error(err)
				}
				went = append(went, ref)
			}()
			// The first of them has the turn.
			synctest.Wait()
		}
		for range 4 {
			n.gate <- struct{}{}
			synctest.Wait()
		}
		if diff := cmp.Diff([]string{"view", "call", "shop", "later"}, went); diff != "" {
			t.Errorf("went in (-want +got):\n%s", diff)
		}
	})
}
