package images

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// nodePackages are the packages that kind's base image installs, without those that only rootless or iSCSI nodes use, plus runc.
var nodePackages = []string{
	"systemd", "dbus", "conntrack", "iptables", "nftables", "iproute2", "ethtool", "util-linux", "mount", "kmod", "libseccomp2",
	"pigz", "bash", "ca-certificates", "curl", "jq", "procps", "runc",
}

const debianMirror = "http://deb.debian.org/debian"

// debootstrap unpacks a minimal Debian with packages into root, from the mirror that the host itself uses.
func (w *Workshop) debootstrap(ctx context.Context, suite, root string, packages []string) error {
	defer w.start("unpacking Debian packages")()
	args := []string{"--variant=minbase", "--include=" + strings.Join(packages, ","), suite, root, hostMirror("/etc/apt")}
	if err := w.run(exec.CommandContext(ctx, "debootstrap", args...)); err != nil {
		return fmt.Errorf("unpacking Debian packages: %w", err)
	}
	return clean(root)
}

// hostMirror reads the host's own package source below etcApt, in either of apt's two formats. It returns debianMirror if there is none.
func hostMirror(etcApt string) string {
	files := []string{filepath.Join(etcApt, "sources.list")}
	// apt ignores other files, such as .save and .bak.
	for _, ending := range []string{"*.list", "*.sources"} {
		found, _ := filepath.Glob(filepath.Join(etcApt, "sources.list.d", ending))
		files = append(files, found...)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		for s := bufio.NewScanner(bytes.NewReader(data)); s.Scan(); {
			if uri := mirrorIn(strings.Fields(s.Text())); uri != "" {
				return uri
			}
		}
	}
	return debianMirror
}

// mirrorIn finds the URL of a Debian archive, other than the security archive, in the words of one line.
func mirrorIn(words []string) string {
	if len(words) == 0 || (words[0] != "deb" && words[0] != "URIs:") {
		return ""
	}
	for _, word := range words[1:] {
		trimmed := strings.TrimRight(word, "/")
		if strings.HasPrefix(word, "http") && strings.HasSuffix(trimmed, "/debian") {
			return trimmed
		}
	}
	return ""
}
