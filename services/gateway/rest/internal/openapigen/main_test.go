package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const plain = `{"paths": {"/v1/users": {"get": {"summary": "Lists\nusers. In any order.", "tags": ["Users"], "responses": {}}}},
	"tags": [{"name": "Users"}, {"name": "Hidden"}], "definitions": {}}`

func TestRun_CompletesADocument(t *testing.T) {
	in, out, stderr := filepath.Join(t.TempDir(), "in"), filepath.Join(t.TempDir(), "out"), &bytes.Buffer{}
	if err := os.WriteFile(in, []byte(plain), 0o600); err != nil {
		t.Fatal(err)
	}
	if code := run([]string{"-in", in, "-o", out}, stderr); code != 0 {
		t.Fatal(code, stderr)
	}
	text, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"summary": "Lists users."`, `"description": "In any order."`, `"$ref": "#/definitions/Problem"`, `"Request-Timeout"`, `"application/problem+json"`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%s is missing in\n%s", want, text)
		}
	}
	if strings.Contains(string(text), "Hidden") {
		t.Error("an unused tag is left")
	}
}

func TestRun_BadInput(t *testing.T) {
	dir, stderr := t.TempDir(), &bytes.Buffer{}
	for name, text := range map[string]string{"empty": "", "other": "{}", "operation": `{"paths": {"/": {"get": 1}}, "definitions": {}}`} {
		in := filepath.Join(dir, name)
		if err := os.WriteFile(in, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if code := run([]string{"-in", in, "-o", filepath.Join(dir, "out")}, stderr); code != 1 {
			t.Error(name, code, stderr)
		}
	}
	if code := run([]string{"-in", filepath.Join(dir, "none"), "-o", filepath.Join(dir, "out")}, stderr); code != 1 {
		t.Error(code, stderr)
	}
	if code := run(nil, stderr); code != 2 {
		t.Error(code, stderr)
	}
}
