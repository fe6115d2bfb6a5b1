package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/grpc-sandbox/sandbox/sandbox/images"
)

// node is where a loader puts images.
type node interface {
	NodeImages(ctx context.Context) (digests map[string]string, blobs map[string]bool, err error)
	LoadIntoNode(ctx context.Context, write func(io.Writer) error) error
}

// loader loads images into the node in the background, one after another in order of need, skipping what is there: kind and the workloads
// leave time for it while they start. An image that a release waits for goes in before those that are needed later.
type loader struct {
	node  node
	wait  func(ctx context.Context, ref string) (images.Ready, error)           // until the image is made
	renew func(ctx context.Context, damaged images.Ready) (images.Ready, error) // makes it anew
	first []string                                                              // what the first call needs: may go in while kind still works
	rest  []string

	once   sync.Once
	cancel context.CancelFunc
	done   sync.WaitGroup
	whole  sync.Once
	more   chan struct{} // closed once the rest may go in

	turns turns // one image goes in at a time, in the order of first and rest

	mu    sync.Mutex // never held while one does
	have  map[string]string
	blobs map[string]bool // in the node: images share layers
	sent  int             // images
}

func newLoader(n node, first, rest []string) *loader {
	return &loader{node: n, first: first, rest: rest, more: make(chan struct{})}
}

// begin starts loading what the first call needs; more would delay it. The node's containerd must run. Who begins twice begins once.
func (l *loader) begin(ctx context.Context) {
	l.once.Do(func() {
		ctx, l.cancel = context.WithCancel(ctx)
		l.done.Go(func() {
			l.all(ctx, l.first)
			select {
			case <-l.more:
				l.all(ctx, l.rest)
			case <-ctx.Done():
			}
		})
	})
}

// goOn starts loading the rest too.
func (l *loader) goOn(ctx context.Context) {
	l.begin(ctx)
	l.whole.Do(func() { close(l.more) })
}

// all leaves what fails to the release that needs it: load tries again, and reports.
func (l *loader) all(ctx context.Context, refs []string) {
	for _, ref := range refs {
		_, _ = l.load(ctx, ref)
	}
}

// stop ends what is under way and waits for its end.
func (l *loader) stop() {
	l.once.Do(func() {}) // nothing begins any more
	if l.cancel != nil {
		l.cancel()
	}
	l.done.Wait()
}

// loaded is how many images went into the node.
func (l *loader) loaded() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sent
}

// load makes sure that the node holds an image, once it is made, and returns its digest.
func (l *loader) load(ctx context.Context, ref string) (string, error) {
	r, err := l.wait(ctx, ref)
	if err != nil {
		return "", err
	}
	if l.has(r) { // what is there waits for no turn
		return r.Digest, nil
	}
	if err := l.turns.take(ctx, slices.Index(slices.Concat(l.first, l.rest), ref)); err != nil {
		return "", err
	}
	defer l.turns.give()
	if err := l.look(ctx); err != nil {
		return "", err
	}
	if l.has(r) {
		return r.Digest, nil
	}
	err = l.into(ctx, r)
	if errors.Is(err, images.ErrCorrupt) {
		if r, err = l.renew(ctx, r); err == nil {
			err = l.into(ctx, r)
		}
	}
	if err != nil {
		return "", fmt.Errorf("loading %s into the node: %w", ref, err)
	}
	return r.Digest, nil
}

func (l *loader) has(r images.Ready) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.have[r.Ref] == r.Digest
}

// look asks the node once what it holds.
func (l *loader) look(ctx context.Context) error {
	if l.have != nil { // only written in a turn
		return nil
	}
	have, blobs, err := l.node.NodeImages(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.have, l.blobs = have, blobs
	return err
}

// into sends what the node lacks of an image, and remembers what it sent.
func (l *loader) into(ctx context.Context, r images.Ready) error {
	err := l.node.LoadIntoNode(ctx, func(w io.Writer) error { return images.WriteArchive(w, r.Ref, r.Image, l.blobs) })
	if err != nil {
		return err
	}
	layers, err := r.Image.Layers()
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, layer := range layers {
		digest, err := layer.Digest()
		if err != nil {
			return err
		}
		l.blobs[digest.String()] = true
	}
	l.have[r.Ref] = r.Digest
	l.sent++
	return nil
}
