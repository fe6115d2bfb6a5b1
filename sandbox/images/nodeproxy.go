package images

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// proxyPackages are the programs that kube-proxy runs.
var proxyPackages = []string{"conntrack", "iptables", "nftables"}

// proxyFiles lists what kube-proxy's image takes from the node's Debian: the files of those packages and of all that they need, below
// root, in order. The whole Debian would be twenty times as much, which every new node copies and unpacks.
func (w *Workshop) proxyFiles(ctx context.Context, root string) ([]string, error) {
	const needed = "apt-cache depends --recurse --installed --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces --no-enhances "
	command := "dpkg -L $(" + needed + strings.Join(proxyPackages, " ") + " | grep '^[a-z0-9]')"
	out, err := exec.CommandContext(ctx, "chroot", root, "sh", "-c", command).Output()
	if err != nil {
		return nil, fmt.Errorf("listing the files of %s: %w", strings.Join(proxyPackages, ", "), err)
	}
	listed := append(strings.Fields(string(out)), "/bin", "/lib", "/lib32", "/lib64", "/libx32", "/sbin") // links where /usr is merged
	for _, pattern := range []string{"etc/alternatives/*", "usr/sbin/*"} {                                // made by scripts, so that no package lists them
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			return nil, err
		}
		for _, path := range found {
			if target, err := os.Readlink(path); err == nil && (strings.HasPrefix(target, "/etc/alternatives/") || strings.HasPrefix(pattern, "etc/")) {
				listed = append(listed, strings.TrimPrefix(path, root))
			}
		}
	}
	return existing(root, listed)
}

// existing turns names that packages list into paths below root: without what was left out or lies behind a link to elsewhere, each once,
// and by the folders' own names where a package writes /lib for /usr/lib.
func existing(root string, listed []string) ([]string, error) {
	root, err := filepath.EvalSymlinks(root)
	if err != nil {
		return nil, err
	}
	var files []string
	for _, name := range listed {
		folder, err := filepath.EvalSymlinks(filepath.Join(root, filepath.Dir(name)))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		path := filepath.Join(folder, filepath.Base(name))
		if _, err := os.Lstat(path); err == nil && strings.HasPrefix(path, root+"/") {
			files = append(files, path)
		}
	}
	slices.Sort(files)
	return slices.Compact(files), nil
}

// addListed writes files below root under their names there; a folder comes without what is in it.
func addListed(tw *tar.Writer, root string, files []string) error {
	root, err := filepath.EvalSymlinks(root)
	if err != nil {
		return err
	}
	links := map[uint64]string{}
	for _, path := range files {
		info, err := os.Lstat(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if err := addEntry(tw, path, name, info, links); err != nil {
			return err
		}
	}
	return nil
}
