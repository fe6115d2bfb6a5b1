package images

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
)

// layOut turns a bare Debian into a kind node: kind's files, the binaries, containerd's settings, and a static network.
func (n Node) layOut(ctx context.Context, w *Workshop, root, bin string) error {
	for _, step := range []func() error{
		func() error { return layKindFiles(ctx, w, root) },
		func() error { return trimUnits(root) },
		func() error { return enableUnits(ctx, w, root) },
		func() error { return layBinaries(root, bin) },
		func() error { return layContainerd(ctx, w, root, bin) },
		func() error { return layStatic(root, n.Kubernetes) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// layKindFiles copies kind's own files over Debian's, and keeps the modes of Debian's folders.
func layKindFiles(ctx context.Context, w *Workshop, root string) error {
	from, err := kindFiles(ctx, w)
	if err != nil {
		return err
	}
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		to := filepath.Join(root, rel)
		if d.IsDir() {
			return os.MkdirAll(to, 0o755)
		}
		mode := fs.FileMode(0o644)
		if dir := filepath.Dir(rel); dir == "usr/local/bin" || dir == "kind/bin" {
			mode = 0o755
		}
		return copyFile(path, to, mode)
	})
}

// kindFiles returns the folder of node files inside kind's module, at the version that this project is built with.
func kindFiles(ctx context.Context, w *Workshop) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "mod", "download", "-json", "sigs.k8s.io/kind")
	cmd.Dir = filepath.Join(w.SourceTree, recipesFolder, "kindnode")
	cmd.Env = append(os.Environ(), "GOWORK=off")
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("downloading kind's module: %w\n%s", err, out)
	}
	var module struct{ Dir string }
	if err := json.Unmarshal(out, &module); err != nil {
		return "", fmt.Errorf("downloading kind's module: %w", err)
	}
	return filepath.Join(module.Dir, "images", "base", "files"), nil
}

// trimUnits removes the systemd units that make no sense in a container, as kind's base image does.
func trimUnits(root string) error {
	for _, pattern := range []string{
		"lib/systemd/system/sysinit.target.wants/systemd-tmpfiles-setup.service",
		"lib/systemd/system/multi-user.target.wants/*", "etc/systemd/system/*.wants/*", "lib/systemd/system/local-fs.target.wants/*",
		"lib/systemd/system/sockets.target.wants/*udev*", "lib/systemd/system/sockets.target.wants/*initctl*",
		"lib/systemd/system/basic.target.wants/*",
	} {
		matches, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			return err
		}
		for _, m := range matches {
			if err := os.RemoveAll(m); err != nil {
				return err
			}
		}
	}
	return nil
}

func enableUnits(ctx context.Context, w *Workshop, root string) error {
	if err := relink("/usr/lib/systemd/systemd", filepath.Join(root, "sbin/init")); err != nil {
		return err
	}
	for _, args := range [][]string{
		{"enable", "kubelet.service", "containerd.service", "undo-mount-hacks.service"}, {"mask", "systemd-binfmt.service"},
	} {
		if err := w.run(exec.CommandContext(ctx, "chroot", append([]string{root, "systemctl"}, args...)...)); err != nil {
			return err
		}
	}
	journald := filepath.Join(root, "etc/systemd/journald.conf")
	old, err := os.ReadFile(journald)
	if err != nil {
		return err
	}
	return os.WriteFile(journald, append(old, "ReadKMsg=no\n"...), 0o644)
}

func layBinaries(root, bin string) error {
	for name, to := range map[string]string{
		"kube": "usr/bin", "containerd": "usr/local/bin", "ctr": "usr/local/bin", "containerd-shim-runc-v2": "usr/local/bin",
		"host-local": "opt/cni/bin", "loopback": "opt/cni/bin", "ptp": "opt/cni/bin", "portmap": "opt/cni/bin",
	} {
		if err := copyFile(filepath.Join(bin, name), filepath.Join(root, to, name), 0o755); err != nil {
			return err
		}
	}
	for _, alias := range []string{"kubelet", "kubeadm", "kubectl"} {
		if err := relink("kube", filepath.Join(root, "usr/bin", alias)); err != nil {
			return err
		}
	}
	return relink("/usr/sbin/runc", filepath.Join(root, "usr/local/sbin/runc"))
}

// layContainerd writes the runtime spec that kind's containerd config names: ctr's default with kind's hook and without rlimits, which a node
// without CAP_SYS_RESOURCE could not set.
func layContainerd(ctx context.Context, w *Workshop, root, bin string) error {
	out, err := exec.CommandContext(ctx, filepath.Join(bin, "ctr"), "oci", "spec").Output()
	if err != nil {
		return fmt.Errorf("reading ctr's default runtime spec: %w", err)
	}
	var spec map[string]any
	if err := json.Unmarshal(out, &spec); err != nil {
		return err
	}
	spec["hooks"] = map[string]any{"createContainer": []any{map[string]any{"path": "/kind/bin/mount-product-files.sh"}}}
	if process, ok := spec["process"].(map[string]any); ok {
		delete(process, "rlimits")
	}
	data, err := json.Marshal(spec)
	if err != nil {
		return err
	}
	return writeFile(filepath.Join(root, "etc/containerd/cri-base.json"), string(data))
}

const ptpNetwork = `{"cniVersion":"1.0.0","name":"ptp","plugins":[
{"type":"ptp","ipMasq":true,"mtu":1500,"ipam":{"type":"host-local","dataDir":"/run/cni-ipam-state",
"routes":[{"dst":"0.0.0.0/0"}],"ranges":[[{"subnet":"10.244.0.0/24"}]]}},
{"type":"portmap","capabilities":{"portMappings":true}}]}
`

// layStatic writes the files that kind reads from a node: the version, and the manifests of network and storage, which are empty here.
func layStatic(root, kubernetes string) error {
	const nothing = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: static-%s, namespace: kube-system}\n"
	if err := os.MkdirAll(filepath.Join(root, "etc/kubernetes/manifests"), 0o755); err != nil {
		return err
	}
	for name, content := range map[string]string{
		"kind/version":                        kubernetes,
		"kind/manifests/default-cni.yaml":     fmt.Sprintf(nothing, "network"),
		"kind/manifests/default-storage.yaml": fmt.Sprintf(nothing, "storage"),
		"etc/cni/net.d/10-ptp.conflist":       ptpNetwork,
	} {
		if err := writeFile(filepath.Join(root, name), content); err != nil {
			return err
		}
	}
	return nil
}

func writeFile(path, content string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(content), 0o644)
}

func copyFile(from, to string, mode fs.FileMode) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(to, data, mode); err != nil {
		return err
	}
	// The mode given to WriteFile is subject to the umask, and ignored for an existing file.
	return os.Chmod(to, mode)
}

func relink(target, path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.Symlink(target, path)
}
