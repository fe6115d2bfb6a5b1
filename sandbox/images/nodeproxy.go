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

// proxyFiles lists the files that kube-proxy's image takes from the node's Debian, in order: the files of those packages and of all their
// dependencies, below root. The whole Debian would be twenty times as large, and every new node copies and unpacks it.
func (w *Workshop) proxyFiles(ctx context.Context, root string) ([]string, error) {
	const needed = "apt-cache depends --recurse --installed --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces --no-enhances "
	command := "dpkg -L $(" + needed + strings.Join(proxyPackages, " ") + " | grep '^[a-z0-9]')"
	out, err := exec.CommandContext(ctx, "chroot", root, "sh", "-c", command).Output()
	if err != nil {
		return nil, fmt.Errorf("listing the files of %s: %w", strings.Join(proxyPackages, ", "), err)
	}
	// These are links on a system with a merged /usr.
	listed := append(strings.Fields(string(out)), "/bin", "/lib", "/lib32", "/lib64", "/libx32", "/sbin")
	// Scripts create these, so no package lists them.
	for _, pattern := range []string{"etc/alternatives/*", "usr/sbin/*"} {
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

// existing converts the file names that packages list into paths below root, each once. It leaves out files that were removed or are behind a link
// to another place, and uses the real folder where a package writes /lib for /usr/lib.
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

// addListed writes files below root under their names. A folder is written without its content.
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
