package sandbox

import (
	"context"
	"io"

	"github.com/grpc-sandbox/sandbox/sandbox/images"
)

// into sends what the node lacks of an image.
func (l *loader) into(ctx context.Context, r images.Ready) error {
	return l.up.cluster.LoadIntoNode(ctx, func(w io.Writer) error { return images.WriteArchive(w, r.Ref, r.Image, l.blobs) })
}
