package images

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// dialTimeout bounds how long an offline machine waits before it knows that it is offline.
const dialTimeout = 3 * time.Second

// ErrOffline is returned for every pull after the first that could not reach its registry.
var ErrOffline = errors.New("no image registry can be reached")

// Registry pulls images; once one pull finds no network, the later ones do not try.
type Registry struct {
	offline   atomic.Bool
	transport http.RoundTripper
}

// RegistryOf is the URL at which the registry of a reference says that it is one; empty for none, and for no reference.
func RegistryOf(ref string) string {
	parsed, err := name.ParseReference(ref)
	if ref == "" || err != nil {
		return ""
	}
	registry := parsed.Context().Registry
	return registry.Scheme() + "://" + registry.RegistryStr() + "/v2/"
}

// Registries are the URLs of the registries from which the catalog's images are pulled.
func Registries() []string {
	var all []string
	for _, i := range All() {
		if r := RegistryOf(i.Pull); r != "" && !slices.Contains(all, r) {
			all = append(all, r)
		}
	}
	return all
}

// NewRegistry returns a registry client that obeys the environment's proxy settings.
func NewRegistry() *Registry {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DialContext = (&net.Dialer{Timeout: dialTimeout}).DialContext
	t.TLSHandshakeTimeout = dialTimeout
	t.ResponseHeaderTimeout = 20 * time.Second
	r := &Registry{}
	r.transport = impatient{next: t, limit: stallTimeout, stalled: func() { r.offline.Store(true) }}
	return r
}

// Offline says whether a pull has found no network.
func (r *Registry) Offline() bool { return r.offline.Load() }

// Image fetches the manifest of ref for this machine's architecture; layers follow as they are read.
func (r *Registry) Image(ctx context.Context, ref string) (v1.Image, error) {
	if r.offline.Load() {
		return nil, ErrOffline
	}
	parsed, err := name.ParseReference(ref)
	if err != nil {
		return nil, fmt.Errorf("pulling %s: %w", ref, err)
	}
	img, err := remote.Image(parsed, remote.WithContext(ctx), remote.WithTransport(r.transport), remote.WithRetryPredicate(never),
		remote.WithPlatform(v1.Platform{OS: "linux", Architecture: runtime.GOARCH}))
	var unanswered *url.Error // what the HTTP client says of a request that got no answer
	if errors.As(err, &unanswered) && ctx.Err() == nil {
		r.offline.Store(true)
		return nil, fmt.Errorf("%w: %w", ErrOffline, err)
	}
	if err != nil {
		return nil, fmt.Errorf("pulling %s: %w", ref, err)
	}
	return img, nil
}

func never(error) bool { return false }
