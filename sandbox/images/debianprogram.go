package images

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Debian is an image of a program that Debian packages, on a minimal Debian from which everything the program does not need is removed. Its folder
// below the recipes has two lists with one entry per line: packages, and patterns of files to remove.
type Debian struct {
	// Suite is the Debian release.
	Suite string
	// Folder is the folder below the recipes.
	Folder string
	// User is the package's own user.
	User string
	// Number is the id of the user and its group in the image, so that charts can refer to it.
	Number int
	// Path is the folder of the program. It comes first in PATH.
	Path string
	// Stop is the signal that stops the program. If empty, it is SIGTERM.
	Stop string
}

// Sources implements Recipe.
func (d Debian) Sources() []string {
	return append(codeOf("debianprogram", "renumber", "debian", "layer", "inode_unix"), recipesFolder+"/"+d.Folder)
}

// Needs implements Recipe.
func (d Debian) Needs() []string { return []string{"debootstrap"} }

// Build implements Recipe.
func (d Debian) Build(ctx context.Context, w *Workshop) (v1.Image, error) {
	folder := filepath.Join(w.SourceTree, recipesFolder, d.Folder)
	packages, err := listFile(filepath.Join(folder, "packages"))
	if err != nil {
		return nil, err
	}
	patterns, err := listFile(filepath.Join(folder, "leave-out"))
	if err != nil {
		return nil, err
	}
	root := filepath.Join(w.Scratch, "rootfs")
	if err := w.debootstrap(ctx, d.Suite, root, packages); err != nil {
		return nil, err
	}
	w.Doing("leaving out what " + d.Folder + " does not run")
	if err := leaveOut(root, patterns); err != nil {
		return nil, fmt.Errorf("removing files: %w", err)
	}
	if err := renumber(root, d.User, d.Number); err != nil {
		return nil, fmt.Errorf("changing the id of user %s to %d: %w", d.User, d.Number, err)
	}
	w.Doing("packing " + d.Folder)
	layer, err := writeLayer(filepath.Join(w.Scratch, "debian.tar"), func(tw *tar.Writer) error { return addFolder(tw, root) })
	if err != nil {
		return nil, err
	}
	return assemble(v1.Config{
		User: fmt.Sprintf("%d:%d", d.Number, d.Number), WorkingDir: "/", StopSignal: d.Stop,
		Env: []string{"PATH=" + d.Path + ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"},
	}, layer)
}

// listFile reads a file with one entry per line. It skips empty lines and lines that start with #.
func listFile(path string) ([]string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var entries []string
	for s := bufio.NewScanner(bytes.NewReader(data)); s.Scan(); {
		if line := strings.TrimSpace(s.Text()); line != "" && !strings.HasPrefix(line, "#") {
			entries = append(entries, line)
		}
	}
	return entries, nil
}

func leaveOut(root string, patterns []string) error {
	for _, pattern := range patterns {
		matches, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			return fmt.Errorf("%s: %w", pattern, err)
		}
		for _, match := range matches {
			if err := os.RemoveAll(match); err != nil {
				return err
			}
		}
	}
	return nil
}
