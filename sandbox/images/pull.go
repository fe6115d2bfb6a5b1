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

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

const (
	// dialTimeout limits how long a machine without a network waits before it notices.
	dialTimeout = 3 * time.Second
	// handshakeTimeout is longer: a handshake takes seconds on a busy machine or a slow link.
	handshakeTimeout = 10 * time.Second
)

// ErrOffline is returned for every pull after the first that could not reach its registry.
var ErrOffline = errors.New("no image registry can be reached")

// Registry pulls images with the user's credentials, as docker and podman store them. After one pull has found no network, later pulls fail without
// trying.
type Registry struct {
	offline   atomic.Bool
	transport http.RoundTripper
}

// RegistryOf returns the URL of the API of a reference's registry. It is empty for an empty or invalid reference.
func RegistryOf(ref string) string {
	parsed, err := name.ParseReference(ref)
	if ref == "" || err != nil {
		return ""
	}
	registry := parsed.Context().Registry
	return registry.Scheme() + "://" + registry.RegistryStr() + "/v2/"
}

// Registries returns the URLs of the registries from which the catalog's images are pulled.
func Registries() []string {
	var all []string
	for _, i := range All() {
		if r := RegistryOf(i.Pull); r != "" && !slices.Contains(all, r) {
			all = append(all, r)
		}
	}
	return all
}

// NewRegistry returns a registry client that uses the proxy settings of the environment.
func NewRegistry() *Registry {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DialContext = (&net.Dialer{Timeout: dialTimeout}).DialContext
	t.TLSHandshakeTimeout = handshakeTimeout
	t.ResponseHeaderTimeout = 20 * time.Second
	r := &Registry{}
	r.transport = stallTransport{next: t, limit: stallTimeout, stalled: func() { r.offline.Store(true) }}
	return r
}

// Offline reports whether a pull has found no network.
func (r *Registry) Offline() bool { return r.offline.Load() }

// Image fetches the manifest of ref for this machine's architecture. Layers are fetched as they are read. It calls waiting, which may be nil,
// before a pause that the registry's rate limit requires.
func (r *Registry) Image(ctx context.Context, ref string, waiting func(registry string, pause time.Duration)) (v1.Image, error) {
	if r.offline.Load() {
		return nil, ErrOffline
	}
	parsed, err := name.ParseReference(ref)
	if err != nil {
		return nil, fmt.Errorf("pulling %s: %w", ref, err)
	}
	img, err := r.fetch(ctx, parsed, waiting)
	// One slow response does not mean that there is no network.
	if timedOut(err) && ctx.Err() == nil {
		img, err = r.fetch(ctx, parsed, waiting)
	}
	var limited *RateLimitError
	// The HTTP client returns this error for a request without a response.
	var unanswered *url.Error
	switch {
	case err == nil:
		return img, nil
	case errors.As(err, &limited):
		return nil, fmt.Errorf("pulling %s: %w", ref, limited)
	case errors.As(err, &unanswered) && ctx.Err() == nil:
		r.offline.Store(true)
		return nil, fmt.Errorf("%w: %w", ErrOffline, err)
	}
	return nil, fmt.Errorf("pulling %s: %w", ref, err)
}

func (r *Registry) fetch(ctx context.Context, ref name.Reference, waiting func(string, time.Duration)) (v1.Image, error) {
	return remote.Image(ref, remote.WithContext(ctx), remote.WithTransport(rateLimitTransport{r.transport, waiting}), remote.WithRetryPredicate(never),
		remote.WithAuthFromKeychain(authn.DefaultKeychain), remote.WithPlatform(v1.Platform{OS: "linux", Architecture: runtime.GOARCH}))
}

// timedOut reports whether the connection, the TLS handshake or the response took too long.
func timedOut(err error) bool {
	var unanswered *url.Error
	return errors.As(err, &unanswered) && unanswered.Timeout()
}

func never(error) bool { return false }
