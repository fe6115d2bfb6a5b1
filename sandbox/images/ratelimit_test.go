package images

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox/fixture"
)

// limiter answers 429 to the first requests.
type limiter struct {
	refusals int
	header   string
	calls    int
}

func (l *limiter) RoundTrip(*http.Request) (*http.Response, error) {
	l.calls++
	resp := &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(""))}
	if l.calls <= l.refusals {
		resp.StatusCode = http.StatusTooManyRequests
		resp.Header.Set("Retry-After", l.header)
	}
	return resp, nil
}

func TestRateLimitTransport_FollowsRetryAfter(t *testing.T) {
	for _, c := range []struct {
		sentence string
		limiter  limiter
		waits    time.Duration
		fails    string
	}{
		{"no limit", limiter{}, 0, ""},
		{"one refusal with seconds", limiter{refusals: 1, header: "7"}, 7 * time.Second, ""},
		{"two refusals", limiter{refusals: 2, header: "7"}, 14 * time.Second, ""},
		{"a date", limiter{refusals: 1, header: "Sat, 01 Jan 2000 00:00:30 GMT"}, 30 * time.Second, ""},
		{"no word", limiter{refusals: 1}, rateLimitPause, ""},
		{"a header that cannot be read", limiter{refusals: 1, header: "soon"}, rateLimitPause, ""},
		{"a date that has passed", limiter{refusals: 1, header: "Fri, 31 Dec 1999 00:00:00 GMT"}, rateLimitPause, ""},
		{"always refused", limiter{refusals: 9, header: "7"}, 14 * time.Second, "registry.example limits how often images may be pulled (HTTP 429) for another 7s"},
		{"too long a wait", limiter{refusals: 1, header: "21600"}, 0, "for another 6h0m0s"},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var announced time.Duration
				p := rateLimitTransport{&c.limiter, func(_ string, pause time.Duration) { announced += pause }}
				req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://registry.example/v2/", nil)
				if err != nil {
					t.Fatal(err)
				}
				started := time.Now()
				resp, err := p.RoundTrip(req)
				if took := time.Since(started); took != c.waits || announced != took {
					t.Errorf("it waited %s and announced %s, want %s", took, announced, c.waits)
				}
				if c.fails != "" {
					fixture.WantError(t, err, c.fails, "try: docker login registry.example", "try: --images source", "try: --bundle FILE")
					return
				}
				if err != nil || resp.StatusCode != http.StatusOK {
					t.Errorf("%v, %v", resp, err)
				}
				_ = resp.Body.Close()
			})
		})
	}
}

func TestRateLimitTransport_Cancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://registry.example/v2/", nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := (rateLimitTransport{&limiter{refusals: 1, header: "60"}, nil}).RoundTrip(req); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}

// limited returns a registry that refuses every request for a day.
func limited(t *testing.T) (host string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "86400")
		http.Error(w, `{"errors":[{"code":"TOOMANYREQUESTS","message":"You have reached your pull rate limit."}]}`, http.StatusTooManyRequests)
	}))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

func TestGet_RateLimitDoesNotStartALongBuild(t *testing.T) {
	for _, c := range []struct {
		sentence string
		mode     Mode
		typical  time.Duration
		built    bool
	}{
		{"auto, a build of minutes", Auto, 15 * time.Minute, false},
		{"auto, a quick build", Auto, 10 * time.Second, true},
		{"pull", Pull, 10 * time.Second, false},
		{"source", Source, 15 * time.Minute, true},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			s := newShop(t, limited(t)+"/a:1", true)
			s.store.Mode, s.image.Typical = c.mode, c.typical
			_, err := s.store.Get(t.Context(), s.image)
			if (s.builds == 1) != c.built || (err == nil) != c.built {
				t.Fatalf("%d builds, %v", s.builds, err)
			}
			if c.built {
				return
			}
			var limit *RateLimitError
			if !errors.As(err, &limit) || errors.Is(err, ErrOffline) || len(remedy.Of(err)) == 0 {
				t.Errorf("got %v with remedies %v", err, remedy.Of(err))
			}
		})
	}
}

func TestImage_UsesTheUsersCredentials(t *testing.T) {
	inner := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	want := "Basic " + base64.StdEncoding.EncodeToString([]byte("ada:secret"))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != want {
			w.Header().Set("WWW-Authenticate", `Basic realm="private"`)
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		inner.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	host := strings.TrimPrefix(server.URL, "http://")
	folder := t.TempDir()
	t.Setenv("DOCKER_CONFIG", folder)
	r := NewRegistry()
	if _, err := r.Image(t.Context(), host+"/a:1", nil); err == nil || errors.Is(err, ErrOffline) {
		t.Fatalf("without credentials: %v", err)
	}
	config := fmt.Sprintf(`{"auths":{%q:{"username":"ada","password":"secret"}}}`, host)
	if err := os.WriteFile(filepath.Join(folder, "config.json"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	ref, err := name.ParseReference(host + "/a:1")
	if err != nil {
		t.Fatal(err)
	}
	inside := httptest.NewServer(inner)
	t.Cleanup(inside.Close)
	local, err := name.ParseReference(strings.TrimPrefix(inside.URL, "http://") + "/a:1")
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(local, imageOf(t, "private")); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Image(t.Context(), ref.String(), nil); err != nil {
		t.Errorf("with credentials: %v", err)
	}
}

// slow times out for its first requests, as the HTTP client does after a slow handshake, and then answers that there is no such image.
type slow struct{ requests, calls int }

func (s *slow) RoundTrip(*http.Request) (*http.Response, error) {
	if s.calls++; s.calls <= s.requests {
		// Its method Timeout returns true.
		return nil, os.ErrDeadlineExceeded
	}
	return &http.Response{StatusCode: http.StatusNotFound, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(""))}, nil
}

func TestImage_OneSlowHandshakeIsNotOffline(t *testing.T) {
	for _, c := range []struct {
		sentence string
		slow     int
		offline  bool
	}{
		{"every handshake is quick", 0, false},
		{"one handshake is slow", 1, false},
		{"every handshake is slow", 9, true},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			r := &Registry{transport: &slow{requests: c.slow}}
			_, err := r.Image(t.Context(), "registry.example/a:1", nil)
			if err == nil || errors.Is(err, ErrOffline) != c.offline || r.Offline() != c.offline {
				t.Errorf("offline: %v, %v", r.Offline(), err)
			}
		})
	}
}
