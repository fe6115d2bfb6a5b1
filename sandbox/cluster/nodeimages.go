package cluster

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
)

// HasImage reports whether the engine has ref with the given config digest ("sha256:…").
func (e Engine) HasImage(ctx context.Context, ref, config string) bool {
	id := e.imageID(ctx, ref)
	return id != "" && id == strings.TrimPrefix(config, "sha256:")
}

// imageID returns the id of an image, or an empty string if the engine has no such image.
func (e Engine) imageID(ctx context.Context, ref string) string {
	out, err := e.Run(ctx, "image", "inspect", "--format", "{{.Id}}", ref)
	if err != nil {
		return ""
	}
	return strings.TrimPrefix(strings.TrimSpace(out), "sha256:")
}

// ReplaceImage loads an image as LoadImage does, and removes the image that had the name before, unless a container still uses it.
func (e Engine) ReplaceImage(ctx context.Context, ref string, write func(io.Writer) error) error {
	old := e.imageID(ctx, ref)
	if err := e.LoadImage(ctx, ref, write); err != nil {
		return err
	}
	if old != "" && old != e.imageID(ctx, ref) {
		// The engine refuses while the image is in use. It then only takes up space.
		_, _ = e.Run(ctx, "rmi", old)
	}
	return nil
}

// LoadImage loads an archive of ref ("docker.io/…"), which write produces, into the engine.
func (e Engine) LoadImage(ctx context.Context, ref string, write func(io.Writer) error) error {
	var said string
	err := stream(write, func(r io.Reader) (err error) {
		said, err = e.RunWith(ctx, r, "load")
		return err
	})
	if err != nil || e.Name != "podman" {
		return err
	}
	// A Docker archive leaves Docker's own registry out of names. Depending on its settings, Podman adds it again, or reads such a name as a local
	// one.
	got := loadedName(said)
	switch got {
	case ref:
		return nil
	case "":
		return fmt.Errorf("loading %s: podman does not report the name: %q", ref, said)
	}
	if _, err := e.Run(ctx, "tag", got, ref); err != nil {
		return err
	}
	// With one argument, untag would remove every name.
	_, err = e.Run(ctx, "untag", got, got)
	return err
}

// loadedName finds the name in "Loaded image: NAME", which older versions write as "Loaded image(s): NAME". It is empty if there is no such line.
func loadedName(said string) string {
	for line := range strings.Lines(said) {
		if what, name, ok := strings.Cut(line, ": "); ok && strings.HasPrefix(what, "Loaded image") {
			return strings.TrimSpace(name)
		}
	}
	return ""
}

// NodeImages returns the images in the node's containerd with their manifest digests, and the blobs that it has.
func (c Cluster) NodeImages(ctx context.Context) (images map[string]string, blobs map[string]bool, err error) {
	const ctr = "ctr -n k8s.io "
	out, err := c.Engine.Run(ctx, "exec", c.Node(), "sh", "-c", ctr+"images ls | awk 'NR>1 {print $1, $3}'; echo; "+ctr+"content ls -q")
	if err != nil {
		return nil, nil, fmt.Errorf("listing the node's images: %w", err)
	}
	images, blobs = map[string]string{}, map[string]bool{}
	for s := bufio.NewScanner(strings.NewReader(out)); s.Scan(); {
		switch words := strings.Fields(s.Text()); len(words) {
		case 2:
			images[words[0]] = words[1]
		case 1:
			blobs[words[0]] = true
		}
	}
	return images, blobs, nil
}

// LoadIntoNode imports an OCI archive, which write produces, into the node's containerd.
func (c Cluster) LoadIntoNode(ctx context.Context, write func(io.Writer) error) error {
	return stream(write, func(r io.Reader) error {
		_, err := c.Engine.RunWith(ctx, r, "exec", "-i", c.Node(), "ctr", "-n", "k8s.io", "images", "import", "--no-unpack", "-")
		return err
	})
}

// stream pipes what write produces into read. If both fail, the error of write is returned, because it caused the other.
func stream(write func(io.Writer) error, read func(io.Reader) error) error {
	r, w := io.Pipe()
	written := make(chan error, 1)
	go func() {
		err := write(w)
		w.CloseWithError(err)
		written <- err
	}()
	readErr := read(r)
	r.CloseWithError(io.ErrClosedPipe)
	if err := <-written; err != nil && !errors.Is(err, io.ErrClosedPipe) {
		return err
	}
	return readErr
}
