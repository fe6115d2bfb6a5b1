package images

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// named is an image with the reference under which it is stored.
type named struct {
	ref   string
	image v1.Image
}

// preloadConfig starts containerd for its content store alone: no runtime, no network, no mounts.
const preloadConfig = `version = 3
root = %q
state = %q
disabled_plugins = ["io.containerd.cri.v1.runtime", "io.containerd.cri.v1.images", "io.containerd.grpc.v1.cri", "io.containerd.nri.v1.nri",
  "io.containerd.internal.v1.opt", "io.containerd.tracing.processor.v1.otlp"]
[grpc]
address = %q
`

// preload imports the control plane's images into the node's containerd, by running that containerd on the host with the node's folder. A node
// image is therefore made without any container engine.
func (n Node) preload(ctx context.Context, w *Workshop, root, bin string) error {
	all, err := n.inner(ctx, w, root, bin)
	if err != nil {
		return err
	}
	// The path is short because a socket's path has at most 107 bytes.
	run, err := os.MkdirTemp("", "ctrd")
	if err != nil {
		return err
	}
	defer os.RemoveAll(run)
	socket, config := filepath.Join(run, "s"), filepath.Join(run, "config.toml")
	text := fmt.Sprintf(preloadConfig, filepath.Join(root, "var/lib/containerd"), filepath.Join(run, "state"), socket)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return err
	}
	stop, err := w.startContainerd(ctx, filepath.Join(bin, "containerd"), config, socket)
	if err != nil {
		return err
	}
	defer stop()
	// The images share layers. containerd takes a layer that it has from its own store.
	there := map[string]bool{}
	for _, i := range all {
		archive := filepath.Join(w.Scratch, "inner.tar")
		if err := writeArchive(archive, i, there); err != nil {
			return err
		}
		cmd := exec.CommandContext(ctx, filepath.Join(bin, "ctr"), "-a", socket, "-n", "k8s.io", "images", "import", "--no-unpack", archive)
		if err := w.run(cmd); err != nil {
			return fmt.Errorf("importing %s: %w", i.ref, err)
		}
		if err := addDigests(there, i.image); err != nil {
			return err
		}
	}
	return nil
}

func addDigests(to map[string]bool, img v1.Image) error {
	manifest, err := img.Manifest()
	if err != nil {
		return err
	}
	for _, l := range manifest.Layers {
		to[l.Digest.String()] = true
	}
	return nil
}

// startContainerd starts containerd and waits for its socket. The returned function stops it and waits until it has exited.
func (w *Workshop) startContainerd(ctx context.Context, program, config, socket string) (stop func(), err error) {
	var tail tailBuffer
	cmd := exec.Command(program, "--config", config)
	cmd.Stdout, cmd.Stderr = &tail, &tail
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	stop = func() {
		_ = cmd.Process.Signal(os.Interrupt)
		<-ended //nolint:errcheck // it was stopped
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if conn, err := net.Dial("unix", socket); err == nil {
			return stop, conn.Close()
		}
		select {
		case err := <-ended:
			return nil, fmt.Errorf("containerd ended: %w\n%s", err, tail.String())
		case <-ctx.Done():
			stop()
			return nil, fmt.Errorf("waiting for containerd: %w\n%s", ctx.Err(), tail.String())
		case <-tick.C:
		}
	}
}
