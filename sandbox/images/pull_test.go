package images

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

func TestRegistry_OfflineIsNoticedOnce(t *testing.T) {
	net := &counter{}
	r := &Registry{transport: net}
	_, err := r.Image(t.Context(), "example.org/a:1", nil)
	wantError(t, err, ErrOffline, "no route to host")
	first := net.calls.Load()
	if first == 0 {
		t.Fatal("the first pull did not try")
	}
	_, err = r.Image(t.Context(), "example.org/b:1", nil)
	wantError(t, err, ErrOffline)
	if net.calls.Load() != first {
		t.Error("the second pull tried again")
	}
}

func TestRegistry_RefusalDoesNotMeanOffline(t *testing.T) {
	host := registryWith(t, map[string]v1.Image{"there:1": imageOf(t, "pulled")})
	elsewhere, err := name.ParseReference(host + "/elsewhere:1")
	if err != nil {
		t.Fatal(err)
	}
	index := mutate.AppendManifests(empty.Index, mutate.IndexAddendum{
		Add: imageOf(t, "other"), Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "plan9", Architecture: "mips"}},
	})
	if err := remote.WriteIndex(elsewhere, index); err != nil {
		t.Fatal(err)
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []struct {
		sentence, ref string
		ctx           context.Context
	}{
		{"a registry without the image is online", host + "/missing:1", t.Context()},
		{"a registry without our architecture is online", elsewhere.String(), t.Context()},
		{"a cancelled pull does not mean offline", host + "/there:1", canceled},
		{"an invalid reference does not mean offline", "NOT A REF", t.Context()},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			r := &Registry{transport: http.DefaultTransport}
			if _, err := r.Image(c.ctx, c.ref, nil); err == nil || errors.Is(err, ErrOffline) {
				t.Errorf("got %v", err)
			}
			if _, err := r.Image(t.Context(), host+"/there:1", nil); err != nil {
				t.Errorf("the next pull fails: %v", err)
			}
		})
	}
}
