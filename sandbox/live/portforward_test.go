package live

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

type fakeTunnel struct{ ended, closed bool }

func (f *fakeTunnel) Ended() bool { return f.ended }
func (f *fakeTunnel) Close()      { f.closed = true }

func TestPortForward_ReopenedWhenItsPodIsGone(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Host) }))
	defer server.Close()
	var tunnels []*fakeTunnel
	l := newPortForwardBy(func(context.Context) (string, tunnel, error) {
		f := &fakeTunnel{}
		tunnels = append(tunnels, f)
		return server.Listener.Addr().String(), f, nil
	})
	get := func() {
		t.Helper()
		client := l.httpClient()
		// The next request must open a new connection.
		defer client.CloseIdleConnections()
		resp, err := client.Get("http://prometheus/api")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if text, err := io.ReadAll(resp.Body); err != nil || string(text) != "prometheus" {
			t.Errorf("the request has the host %q, %v", text, err)
		}
	}
	get()
	get()
	if len(tunnels) != 1 {
		t.Fatalf("two dials opened %d tunnels", len(tunnels))
	}
	tunnels[0].ended = true
	get()
	if len(tunnels) != 2 || !tunnels[0].closed || tunnels[1].closed {
		t.Fatalf("after its pod was gone %d tunnels were opened", len(tunnels))
	}
	l.close()
	l.close()
	if !tunnels[1].closed {
		t.Error("the closed port-forward leaves its tunnel open")
	}
}

func TestPortForward_RetriesAfterFailure(t *testing.T) {
	tries := 0
	l := newPortForwardBy(func(context.Context) (string, tunnel, error) { tries++; return "", nil, errors.New("no pod is ready") })
	for range 2 {
		if _, err := l.dial(t.Context()); err == nil || !strings.Contains(err.Error(), "no pod is ready") {
			t.Errorf("got %v", err)
		}
	}
	l.close()
	if tries != 2 {
		t.Errorf("%d tries", tries)
	}
}

// TestPortForward_OpeningBlocksNoOtherCaller opens a tunnel that never becomes ready, as that of a paused node, which accepts connections but does
// not answer.
func TestPortForward_OpeningBlocksNoOtherCaller(t *testing.T) {
	opening := make(chan struct{})
	l := newPortForwardBy(func(ctx context.Context) (string, tunnel, error) {
		close(opening)
		<-ctx.Done()
		return "", nil, ctx.Err()
	})
	first := make(chan error, 1)
	go func() {
		_, err := l.dial(t.Context())
		first <- err
	}()
	<-opening
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := l.dial(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the second caller waits for the first and gets %v", err)
	}
	l.close()
	if err := <-first; !errors.Is(err, context.Canceled) {
		t.Errorf("closing the port-forward ended the opening with %v", err)
	}
	if _, err := l.dial(t.Context()); !errors.Is(err, errClosed) {
		t.Errorf("after Close: %v", err)
	}
}
