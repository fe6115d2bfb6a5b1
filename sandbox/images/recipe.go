package images

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"go/scanner"
	"go/token"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Recipe builds one image from source.
type Recipe interface {
	// Sources lists the files and folders, relative to the source tree, whose content determines the result of Build.
	Sources() []string
	// Needs lists the programs that Build runs in addition to the Go toolchain.
	Needs() []string
	// Build makes the image. It reports its progress through the workshop.
	Build(ctx context.Context, w *Workshop) (v1.Image, error)
}

// recipesFolder contains the nested modules that pin what is built from other projects.
const recipesFolder = "sandbox/images/recipes"

// Key returns a hash of everything that determines the result of a recipe: its own values, the files it names, and the toolchain. Equal keys mean
// equal images.
func Key(r Recipe, sourceTree, goVersion string) (string, error) {
	h := sha256.New()
	values, err := json.Marshal(r)
	if err != nil {
		return "", err
	}
	fmt.Fprintf(h, "%T\n%s\n%s\n", r, values, goVersion)
	for _, s := range slices.Sorted(slices.Values(r.Sources())) {
		if err := hashTree(h, sourceTree, s); err != nil {
			return "", fmt.Errorf("reading recipe source %s: %w", s, err)
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func hashTree(h io.Writer, root, name string) error {
	return filepath.WalkDir(filepath.Join(root, name), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(path, "_test.go") || strings.HasSuffix(path, ".md") {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		fmt.Fprintf(h, "%s %x\n", rel, sha256.Sum256(withoutComments(path, data)))
		return err
	})
}

// withoutComments returns the tokens of a Go file, so that a change to its comments or layout does not rebuild an image. Directives such as
// //go:embed are kept. Any other file, and one that contains C code in comments, is returned as it is.
func withoutComments(path string, data []byte) []byte {
	if filepath.Ext(path) != ".go" || bytes.Contains(data, []byte(`import "C"`)) {
		return data
	}
	var out bytes.Buffer
	var s scanner.Scanner
	s.Init(token.NewFileSet().AddFile(path, -1, len(data)), data, nil, scanner.ScanComments)
	for {
		_, tok, text := s.Scan()
		switch {
		case tok == token.EOF:
			if s.ErrorCount > 0 {
				return data
			}
			return out.Bytes()
		case tok == token.COMMENT && !strings.HasPrefix(text, "//go:"):
			continue
		// A line break ends a statement as well.
		case tok == token.SEMICOLON:
			text = ";"
		}
		fmt.Fprintf(&out, "%s %s\n", tok, text)
	}
}
