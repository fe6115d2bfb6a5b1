package kube

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
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
			t.Error("it goes on after Close")
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
				t.Error("it goes on")
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
