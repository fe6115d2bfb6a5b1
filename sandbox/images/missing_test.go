package images

import (
	"context"
	"errors"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

func TestMissingError_SetupDoesNotInstallGo(t *testing.T) {
	wantError(t, &MissingError{Program: "go"}, nil, "needs go", "\ntry: install Go from https://go.dev/dl")
}

func TestBuild_OtherSystems(t *testing.T) {
	cache, err := OpenCache(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		sentence string
		needs    []string
		fails    bool
	}{
		{"a Go program is cross-compiled", nil, false},
		{"Debian packages are unpacked on Linux only", []string{"true"}, true},
	} {
		s := &Store{Cache: cache, System: "darwin"}
		_, err := s.build(t.Context(), Image{Ref: "example.org/thing:1", Recipe: &needy{c.needs}}, "key")
		var linux *LinuxError
		if errors.As(err, &linux) != c.fails {
			t.Errorf("%s: %v", c.sentence, err)
		}
	}
	wantError(t, &LinuxError{"darwin"}, nil, "needs Linux, and this is darwin", "\ntry: sandbox up --images pull", "\ntry: sandbox up --bundle FILE")
}

// needy is a recipe that needs programs and cannot build.
type needy struct{ needs []string }

func (n *needy) Needs() []string   { return n.needs }
func (n *needy) Sources() []string { return nil }
func (n *needy) Build(context.Context, *Workshop) (v1.Image, error) {
	return nil, errors.New("no image")
}
