package images

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
)

// Binary is one static Go program.
type Binary struct {
	// Module is the folder of the module below the recipes. It is empty for this project itself.
	Module string
	// Package is an import path, or a path relative to the module.
	Package string
	// Tags are the build tags.
	Tags []string
	// Stamp lists the variables that the linker sets, as "path.name=value".
	Stamp []string
	// Alone is true if the program is built outside the shared workspace, because its versions clash with those of the others.
	Alone bool
	// Sources are the folders that determine the result. Only this project's own programs have them.
	Sources []string
}

// Name returns the file name of the program.
func (b Binary) Name() string {
	if b.Package == "." {
		return b.Module
	}
	return path.Base(b.Package)
}

func (b Binary) files() []string {
	switch {
	case b.Module == "":
		return append([]string{"go.mod", "go.sum"}, b.Sources...)
	case b.Alone:
		return []string{recipesFolder + "/" + b.Module}
	}
	// go.work.sum is not included: it only verifies what go.mod and go.work decide, and the go command adds lines to it.
	files := []string{recipesFolder + "/" + b.Module, recipesFolder + "/go.work"}
	for _, module := range workspace {
		files = append(files, recipesFolder+"/"+module+"/go.mod")
	}
	return files
}

// workspace lists the modules in go.work. The highest version that one of them requires is used for all.
var workspace = []string{"certmanager", "containerd", "coredns", "etcd", "kube", "pause", "prometheus"}

// codeOf returns the paths of files of this package, because an image changes when the code of its recipe changes.
func codeOf(names ...string) []string {
	var files []string
	for _, name := range names {
		files = append(files, "sandbox/images/"+name+".go")
	}
	return files
}

// compile builds b into folder and returns the path of the file.
func (w *Workshop) compile(ctx context.Context, b Binary, folder string) (string, error) {
	defer w.start("compiling " + b.Name())()
	out := filepath.Join(folder, b.Name())
	args := []string{"build", "-trimpath", "-ldflags", ldflags(b.Stamp), "-o", out}
	if len(b.Tags) > 0 {
		args = append(args, "-tags", strings.Join(b.Tags, ","))
	}
	cmd := exec.CommandContext(ctx, "go", append(args, b.Package)...)
	cmd.Dir = w.SourceTree
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false", "GOWORK=off")
	if b.Module != "" {
		cmd.Dir = filepath.Join(w.SourceTree, recipesFolder, b.Module)
		if !b.Alone {
			cmd.Env = append(cmd.Env, "GOWORK="+filepath.Join(w.SourceTree, recipesFolder, "go.work"))
		}
	}
	if err := w.run(cmd); err != nil {
		return "", fmt.Errorf("compiling %s: %w", b.Name(), err)
	}
	return out, nil
}

func ldflags(stamp []string) string {
	flags := "-s -w"
	for _, s := range stamp {
		flags += " -X " + s
	}
	return flags
}
