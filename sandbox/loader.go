package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"sync"

	"github.com/grpc-sandbox/sandbox/sandbox/images"
)

// loader loads images into the node, once each, skipping what is there.
type loader struct {
	up    *up
	once  sync.Once
	err   error
	have  map[string]string
	mu    sync.Mutex
	blobs map[string]bool // in the node; see into
}

func newLoader(u *up) *loader { return &loader{up: u} }

// load makes sure that the node holds an image, and returns its digest.
func (l *loader) load(ctx context.Context, ref string, doing func(string)) (string, error) {
	doing("waiting for image " + ref)
	r, err := l.up.prep.Wait(ctx, ref)
	if err != nil {
		return "", err
	}
	l.once.Do(func() { l.have, l.blobs, l.err = l.up.cluster.NodeImages(ctx) })
	if l.err != nil {
		return "", l.err
	}
	if l.have[ref] == r.Digest {
		return r.Digest, nil
	}
	doing("loading image " + ref)
	err = l.into(ctx, r)
	if errors.Is(err, images.ErrCorrupt) {
		l.up.rec.note(ref, "the cached image is damaged; making it anew")
		i, _ := images.Find(ref)
		if r, err = l.up.store.Renew(ctx, i, r); err == nil {
			err = l.into(ctx, r)
		}
	}
	if err != nil {
		return "", fmt.Errorf("loading %s into the node: %w", ref, err)
	}
	return r.Digest, nil
}

// into sends what the node lacks of an image, and remembers what it sent: images share layers.
func (l *loader) into(ctx context.Context, r images.Ready) error {
	l.mu.Lock()
	have := maps.Clone(l.blobs)
	l.mu.Unlock()
	err := l.up.cluster.LoadIntoNode(ctx, func(w io.Writer) error { return images.WriteArchive(w, r.Ref, r.Image, have) })
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
	return nil
}
