package main

import (
	"testing"

	"github.com/grpc-sandbox/sandbox/sandbox"
)

func TestPageURL_OfEveryPage(t *testing.T) {
	want := map[string]string{"gateway": "https://localhost:4711", "prometheus": "http://127.0.0.1:4711", "jaeger": "http://127.0.0.1:4711"}
	for _, r := range sandbox.Releases() {
		if r.Page == 0 {
			continue
		}
		if got, err := pageURL(r, "127.0.0.1:4711"); err != nil || got != want[r.Name] {
			t.Errorf("%s is at %q, %v, want %q", r.Name, got, err, want[r.Name])
		}
		delete(want, r.Name)
	}
	if len(want) > 0 {
		t.Errorf("no page of %v", want)
	}
}
