package images

import (
	"archive/tar"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"
)

// Node is a kind node image: Debian, kind's own files, containerd, Kubernetes, and the images of the control plane inside it. It supports one node
// only: kind's network daemon cannot be built from a module proxy, so a static ptp network replaces it.
type Node struct {
	// Suite is the Debian release.
	Suite string
	// Kubernetes is the version, such as "v1.2.3".
	Kubernetes string
}

// nodeEntrypoint is what kind expects to run in a node.
var nodeEntrypoint = []string{"/usr/local/bin/entrypoint", "/sbin/init"}

// Sources implements Recipe. The code in this package that lays the node out is included.
func (n Node) Sources() []string {
	files := append(codeOf("node", "nodelayout", "nodeproxy", "preload", "debian", "binary", "layer", "inode_unix"), recipesFolder+"/kindnode")
	for _, b := range n.binaries() {
		files = append(files, b.files()...)
	}
	return files
}

// Needs implements Recipe.
func (n Node) Needs() []string { return []string{"debootstrap"} }

func (n Node) binaries() []Binary {
	const (
		containerd = "github.com/containerd/containerd/v2/"
		plugins    = "github.com/containernetworking/plugins/plugins/"
	)
	major, rest, _ := strings.Cut(strings.TrimPrefix(n.Kubernetes, "v"), ".")
	minor, _, _ := strings.Cut(rest, ".")
	kubeStamp := []string{
		"k8s.io/component-base/version.gitVersion=" + n.Kubernetes, "k8s.io/client-go/pkg/version.gitVersion=" + n.Kubernetes,
		"k8s.io/component-base/version.gitMajor=" + major, "k8s.io/component-base/version.gitMinor=" + minor,
	}
	containerdStamp := []string{containerd + "version.Version=" + ContainerdVersion}
	return []Binary{
		{Module: "kube", Package: ".", Stamp: kubeStamp},
		{Module: "containerd", Package: containerd + "cmd/containerd", Stamp: containerdStamp},
		{Module: "containerd", Package: containerd + "cmd/ctr", Stamp: containerdStamp},
		{Module: "containerd", Package: containerd + "cmd/containerd-shim-runc-v2", Stamp: containerdStamp},
		{Module: "containerd", Package: plugins + "ipam/host-local"},
		{Module: "containerd", Package: plugins + "main/loopback"},
		{Module: "containerd", Package: plugins + "main/ptp"},
		{Module: "containerd", Package: plugins + "meta/portmap"},
		{Module: "coredns", Package: "."},
		{Module: "etcd", Package: "."},
		{Module: "pause", Package: "."},
	}
}

// Build implements Recipe. Debian's packages are unpacked while the compiler runs.
func (n Node) Build(ctx context.Context, w *Workshop) (v1.Image, error) {
	bin, err := w.folder("bin")
	if err != nil {
		return nil, err
	}
	root := filepath.Join(w.Scratch, "rootfs")
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return w.debootstrap(gctx, n.Suite, root, nodePackages) })
	g.Go(func() error {
		for _, b := range n.binaries() {
			if _, err := w.compile(gctx, b, bin); err != nil {
				return err
			}
		}
		return nil
	})
	if err := g.Wait(); err != nil {
		return nil, err
	}
	w.Doing("laying out the node's files")
	if err := n.layOut(ctx, w, root, bin); err != nil {
		return nil, fmt.Errorf("laying out the node's files: %w", err)
	}
	w.Doing("putting the control plane's images into the node")
	if err := n.preload(ctx, w, root, bin); err != nil {
		return nil, fmt.Errorf("putting the control plane's images into the node: %w", err)
	}
	w.Doing("packing the node")
	layer, err := writeLayer(filepath.Join(w.Scratch, "node.tar"), func(tw *tar.Writer) error { return addFolder(tw, root) })
	if err != nil {
		return nil, err
	}
	return assemble(v1.Config{
		Entrypoint: nodeEntrypoint, StopSignal: "SIGRTMIN+3",
		Env: []string{"container=docker", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
	}, layer)
}

// inner returns the images that kubeadm starts, each made from one of the node's own binaries.
func (n Node) inner(ctx context.Context, w *Workshop, root, bin string) ([]named, error) {
	var all []named
	kube, err := writeLayer(filepath.Join(w.Scratch, "kube.tar"), func(tw *tar.Writer) error {
		return addFile(tw, "usr/local/bin/kube", filepath.Join(bin, "kube"), 0o755)
	})
	if err != nil {
		return nil, err
	}
	add := func(ref string, config v1.Config, layers ...v1.Layer) error {
		img, err := assemble(config, layers...)
		all = append(all, named{ref, img})
		return err
	}
	path := []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
	for _, c := range []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler"} {
		alias, err := writeLayer(filepath.Join(w.Scratch, c+".tar"), func(tw *tar.Writer) error { return addAlias(tw, c) })
		if err != nil {
			return nil, err
		}
		if err := add("registry.k8s.io/"+c+":"+n.Kubernetes, v1.Config{Env: path, Entrypoint: []string{"/usr/local/bin/" + c}}, kube, alias); err != nil {
			return nil, err
		}
	}
	programs, err := w.proxyFiles(ctx, root)
	if err != nil {
		return nil, err
	}
	debian, err := writeLayer(filepath.Join(w.Scratch, "debian.tar"), func(tw *tar.Writer) error { return addListed(tw, root, programs) })
	if err != nil {
		return nil, err
	}
	proxy, err := writeLayer(filepath.Join(w.Scratch, "kube-proxy.tar"), func(tw *tar.Writer) error { return addAlias(tw, "kube-proxy") })
	if err != nil {
		return nil, err
	}
	if err := add("registry.k8s.io/kube-proxy:"+n.Kubernetes, v1.Config{Env: path}, debian, kube, proxy); err != nil {
		return nil, err
	}
	for _, s := range []struct{ ref, binary, at string }{
		{"registry.k8s.io/etcd:" + EtcdTag, "etcd", "usr/local/bin/etcd"},
		{"registry.k8s.io/coredns/coredns:" + CoreDNSVersion, "coredns", "coredns"},
		{"registry.k8s.io/pause:" + PauseTag, "pause", "pause"},
	} {
		layer, err := writeLayer(filepath.Join(w.Scratch, s.binary+".tar"), func(tw *tar.Writer) error {
			return addFile(tw, s.at, filepath.Join(bin, s.binary), 0o755)
		})
		if err != nil {
			return nil, err
		}
		if err := add(s.ref, v1.Config{Env: path, Entrypoint: []string{"/" + s.at}}, layer); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func addAlias(tw *tar.Writer, name string) error {
	return tw.WriteHeader(&tar.Header{
		Name: "usr/local/bin/" + name, Linkname: "kube", Mode: 0o777, Typeflag: tar.TypeSymlink, ModTime: epoch, Format: tar.FormatPAX,
	})
}

// clean removes files of Debian that no node needs.
func clean(root string) error {
	for _, name := range []string{"var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/locale", "usr/share/man", "var/log"} {
		if err := os.RemoveAll(filepath.Join(root, name)); err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Join(root, name), 0o755); err != nil {
			return err
		}
	}
	return nil
}
