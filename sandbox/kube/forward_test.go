package kube

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/rest"

	"github.com/grpc-sandbox/sandbox/sandbox/fixture"
)

func TestForwardClose_IsIdempotent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		f := startForward("a", stop, func() error { <-ctx.Done(); return ctx.Err() })
		synctest.Wait()
		if f.Ended() {
			t.Error("it ended before Close")
		}
		var holders sync.WaitGroup
		for range 3 {
			holders.Go(f.Close)
		}
		holders.Wait()
		f.Close()
		if !f.Ended() {
			t.Error("it is still running after Close")
		}
	})
}

func TestForwardEnded_PodIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, stop := context.WithCancel(t.Context())
		f := startForward("a", stop, func() error { return errors.New("lost connection to pod") })
		synctest.Wait()
		for range 3 {
			if !f.Ended() {
				t.Error("it is still running")
			}
		}
		f.Close()
	})
}

// TestForwardPod_Cancelled uses a node that accepts the connection and answers nothing, as a paused node does.
func TestForwardPod_Cancelled(t *testing.T) {
	mute, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	accepted := make(chan net.Conn, 1)
	var accepting sync.WaitGroup
	accepting.Go(func() {
		if conn, err := mute.Accept(); err == nil {
			accepted <- conn
		}
	})
	config := &rest.Config{Host: "http://" + mute.Addr().String()}
	k, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := (&Client{Kube: k, Config: config}).ForwardPod(ctx, "shop", "a", 8443)
		ended <- err
	}()
	conn := <-accepted
	cancel()
	select {
	case err := <-ended:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("it ended with %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("it waits for a node that does not answer")
	}
	// The dialling ends as well.
	conn.Close()
	mute.Close()
	accepting.Wait()
}

func TestReadyPod_FirstByName(t *testing.T) {
	for _, c := range []struct {
		sentence string
		pods     []runtime.Object
		want     string
		fails    string
	}{
		{"the first by name of those that are ready", []runtime.Object{pod("c", ready), pod("b", ready), pod("a", nil)}, "b", ""},
		{"a terminating pod does not count", []runtime.Object{pod("a", both(ready, terminating)), pod("b", ready)}, "b", ""},
		{"none that is ready names the remedy", []runtime.Object{pod("a", nil), pod("b", both(ready, terminating))}, "", "finding a pod of thing: none of 2 is ready\ntry: sandbox status"},
		{"no pod at all names the remedy", nil, "", "none of 0 is ready\ntry: sandbox status"},
	} {
		got, err := (&Client{Kube: fake.NewClientset(c.pods...)}).readyPod(t.Context(), "shop", "thing")
		if got != c.want || (err == nil) != (c.fails == "") || (err != nil && !strings.Contains(fixture.ErrorText(err), c.fails)) {
			t.Errorf("%s: got %q, %v", c.sentence, got, err)
		}
	}
}
