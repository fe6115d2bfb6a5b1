package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

func TestSchemas_AreCurrent(t *testing.T) {
	for file, name := range specs {
		want, err := schema(t.Context(), "../../../proto", name)
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join("../../../../charts/control/schemas", file))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("charts/control/schemas/%s is out of date (%v): run `task generate`", file, err)
		}
	}
}

func TestRun_WritesSchemas(t *testing.T) {
	dir, stderr := t.TempDir(), &bytes.Buffer{}
	if code := run(t.Context(), []string{"-protos", "../../../proto", "-o", dir}, stderr); code != 0 {
		t.Fatal(code, stderr)
	}
	if found, err := filepath.Glob(filepath.Join(dir, "*.yaml")); err != nil || len(found) != len(specs) {
		t.Error(found, err)
	}
	if code := run(t.Context(), []string{"-protos", dir, "-o", dir}, stderr); code != 1 || !bytes.Contains(stderr.Bytes(), []byte("generating the schemas of custom resources: ")) {
		t.Error(code, stderr)
	}
}
