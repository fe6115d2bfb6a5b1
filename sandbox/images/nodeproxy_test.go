package images

import (
	"archive/tar"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestExisting_FollowsMergedFolders(t *testing.T) {
	root := t.TempDir()
	for _, f := range []string{"usr/lib/libc.so.6", "usr/sbin/xtables-nft-multi", "usr/bin/perl"} {
		if err := writeFile(filepath.Join(root, f), f); err != nil {
			t.Fatal(err)
		}
	}
	for link, target := range map[string]string{"lib": "usr/lib", "usr/sbin/iptables": "xtables-nft-multi", "out": "/etc"} {
		if err := os.Symlink(target, filepath.Join(root, link)); err != nil {
			t.Fatal(err)
		}
	}
	listed := []string{"/.", "/lib", "/lib/libc.so.6", "/usr", "/usr/lib", "/usr/sbin", "/usr/sbin/iptables", "/usr/sbin/xtables-nft-multi",
		"/usr/share/doc/iptables/copyright", "/usr/lib/libc.so.6", "/out/passwd"}
	files, err := existing(root, listed)
	if err != nil {
		t.Fatal(err)
	}
	layer, err := writeLayer(filepath.Join(t.TempDir(), "layer.tar"), func(tw *tar.Writer) error { return addListed(tw, root, files) })
	if err != nil {
		t.Fatal(err)
	}
	r, err := layer.Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var got []string
	for tr := tar.NewReader(r); ; {
		hdr, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, hdr.Name)
	}
	want := []string{"lib", "usr/", "usr/lib/", "usr/lib/libc.so.6", "usr/sbin/", "usr/sbin/iptables", "usr/sbin/xtables-nft-multi"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the layer (-want +got):\n%s", diff)
	}
}
