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

// node is the cluster node that a loader copies images into.
type node interface {
	NodeImages(ctx context.Context) (digests map[string]string, blobs map[string]bool, err error)
	LoadIntoNode(ctx context.Context, write func(io.Writer) error) error
}

// loader copies images into the node in the background, one at a time and in the order in which they are needed. It skips images that the node
// already has. The copying overlaps with the start of kind and of the workloads, which leave the CPU idle. An image that a release waits for is
// copied before images that are needed later.
type loader struct {
	node node
	// wait blocks until the image has been prepared.
	wait func(ctx context.Context, ref string) (images.Ready, error)
	// renew replaces a damaged image in the cache.
	renew func(ctx context.Context, damaged images.Ready) (images.Ready, error)
	// first are the images for the first call. They may be copied while kind is still working.
	first []string
	rest  []string

	once   sync.Once
	cancel context.CancelFunc
	done   sync.WaitGroup
	whole  sync.Once
	// more is closed when the images in rest may be copied.
	more chan struct{}

	// turns admits one copy at a time, in the order of first and rest.
	turns prioritySem

	// mu guards the fields below. It is not held during a copy.
	mu   sync.Mutex
	have map[string]string
	// blobs are the layers in the node, because images share layers.
	blobs map[string]bool
	// sent counts the images that were copied.
	sent int
}

func newLoader(n node, first, rest []string) *loader {
	return &loader{node: n, first: first, rest: rest, more: make(chan struct{})}
}

// startFirst starts copying the images for the first call, and no others, because those would delay it. The node's containerd must be running. It
// is idempotent.
func (l *loader) startFirst(ctx context.Context) {
	l.once.Do(func() {
		ctx, l.cancel = context.WithCancel(ctx)
		l.done.Go(func() {
			l.loadAll(ctx, l.first)
			select {
			case <-l.more:
				l.loadAll(ctx, l.rest)
			case <-ctx.Done():
			}
		})
	})
}

// startRest starts copying the remaining images as well. It is idempotent.
func (l *loader) startRest(ctx context.Context) {
	l.startFirst(ctx)
	l.whole.Do(func() { close(l.more) })
}

// loadAll copies images one after another. It ignores errors, because the release that needs the image calls load again and reports them.
func (l *loader) loadAll(ctx context.Context, refs []string) {
	for _, ref := range refs {
		_, _ = l.load(ctx, ref)
	}
}

// stop cancels the copy in progress and waits for it to return.
func (l *loader) stop() {
	// Prevent a later startFirst from starting the goroutine.
	l.once.Do(func() {})
	if l.cancel != nil {
		l.cancel()
	}
	l.done.Wait()
}

// loaded returns how many images were copied into the node.
func (l *loader) loaded() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sent
}

// load waits until an image is prepared, makes sure that the node has it, and returns its digest.
func (l *loader) load(ctx context.Context, ref string) (string, error) {
	r, err := l.wait(ctx, ref)
	if err != nil {
		return "", err
	}
	// An image that is already in the node needs no turn.
	if l.has(r) {
		return r.Digest, nil
	}
	if err := l.turns.acquire(ctx, slices.Index(slices.Concat(l.first, l.rest), ref)); err != nil {
		return "", err
	}
	defer l.turns.release()
	if err := l.inventory(ctx); err != nil {
		return "", err
	}
	if l.has(r) {
		return r.Digest, nil
	}
	err = l.send(ctx, r)
	if errors.Is(err, images.ErrCorrupt) {
		if r, err = l.renew(ctx, r); err == nil {
			err = l.send(ctx, r)
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

// inventory reads once which images and layers the node has. The caller must have a turn.
func (l *loader) inventory(ctx context.Context) error {
	// l.have is written only by the goroutine that has the turn.
	if l.have != nil {
		return nil
	}
	have, blobs, err := l.node.NodeImages(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.have, l.blobs = have, blobs
	return err
}

// send copies the layers of an image that the node lacks, and records them.
func (l *loader) send(ctx context.Context, r images.Ready) error {
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
