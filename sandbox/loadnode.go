package sandbox

import (
	"context"
	"io"
	"maps"

	"github.com/grpc-sandbox/sandbox/sandbox/images"
)

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
