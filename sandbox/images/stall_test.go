package images

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// sender answers with a body that sends one byte after each pause. After the last byte it blocks or ends.
type sender struct {
	pauses []time.Duration
	silent bool
}

func (s sender) RoundTrip(req *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Body: &sending{sender: s, ctx: req.Context()}}, nil
}

type sending struct {
	sender
	ctx context.Context
}

func (s *sending) Close() error { return nil }

func (s *sending) Read(p []byte) (int, error) {
	if len(s.pauses) == 0 && !s.silent {
		return 0, io.EOF
	}
	wait := time.Hour
	if len(s.pauses) > 0 {
		wait, s.pauses = s.pauses[0], s.pauses[1:]
	}
	select {
	case <-time.After(wait):
		return copy(p, "x"), nil
	case <-s.ctx.Done():
		return 0, s.ctx.Err()
	}
}

func TestStallTransport_CancelsAStalledDownload(t *testing.T) {
	for _, c := range []struct {
		sentence string
		from     sender
		want     string
		after    time.Duration
		stalls   bool
	}{
		{"a slow download is not cancelled", sender{pauses: []time.Duration{20 * time.Second, 20 * time.Second, 20 * time.Second}}, "xxx", time.Minute, false},
		{"a download that stops is cancelled after the limit", sender{pauses: []time.Duration{time.Second, time.Second}, silent: true}, "xx", 32 * time.Second, true},
		{"a download that never starts is cancelled after the limit", sender{silent: true}, "", 30 * time.Second, true},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				stalled := false
				i := stallTransport{next: c.from, limit: stallTimeout, stalled: func() { stalled = true }}
				req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://registry.example/blob", nil)
				if err != nil {
					t.Fatal(err)
				}
				resp, err := i.RoundTrip(req)
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				started := time.Now()
				got, err := io.ReadAll(resp.Body)
				if string(got) != c.want || time.Since(started) != c.after || errors.Is(err, errStalled) != c.stalls || stalled != c.stalls {
					t.Errorf("got %q after %s, %v, stalled: %v", got, time.Since(started), err, stalled)
				}
			})
		})
	}
}

func TestStallTransport_CancelledDownloadIsNotStalled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		i := stallTransport{next: sender{silent: true}, limit: stallTimeout, stalled: func() { t.Error("it is called stalled") }}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://registry.example/blob", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := i.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		time.AfterFunc(time.Second, cancel)
		if _, err := io.ReadAll(resp.Body); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}

func TestRegistry_StallCountsAsOffline(t *testing.T) {
	r := NewRegistry()
	guard, ok := r.transport.(stallTransport)
	if !ok || guard.limit != stallTimeout {
		t.Fatalf("its downloads have no limit: %T", r.transport)
	}
	guard.stalled()
	if _, err := r.Image(t.Context(), "registry.example/a:1", nil); !errors.Is(err, ErrOffline) || !strings.Contains(err.Error(), "no image registry") {
		t.Errorf("got %v", err)
	}
}
