package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

type fakeTunnel struct{ ended, closed bool }

func (f *fakeTunnel) Ended() bool { return f.ended }
func (f *fakeTunnel) Close()      { f.closed = true }

func TestALinkIsOpenedOnceAndAnewWhenItsPodIsGone(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Host) }))
	defer server.Close()
	var tunnels []*fakeTunnel
	l := &link{open: func(context.Context) (string, tunnel, error) {
		f := &fakeTunnel{}
		tunnels = append(tunnels, f)
		return server.Listener.Addr().String(), f, nil
	}}
	get := func() {
		t.Helper()
		client := l.httpClient()
		defer client.CloseIdleConnections() // so that the next one dials
		resp, err := client.Get("http://prometheus/api")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if text, err := io.ReadAll(resp.Body); err != nil || string(text) != "prometheus" {
			t.Errorf("the release hears of host %q, %v", text, err)
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
		t.Fatalf("after its pod was gone there are %d tunnels", len(tunnels))
	}
	l.close()
	l.close()
	if !tunnels[1].closed {
		t.Error("closed, the link leaves its tunnel open")
	}
}

func TestALinkThatCannotBeOpenedSaysWhyAndTriesAgain(t *testing.T) {
	tries := 0
	l := &link{open: func(context.Context) (string, tunnel, error) { tries++; return "", nil, errors.New("no pod is ready") }}
	for range 2 {
		if _, err := l.dial(t.Context()); err == nil || !strings.Contains(err.Error(), "no pod is ready") {
			t.Errorf("got %v", err)
		}
	}
	l.close()
	if tries != 2 {
		t.Errorf("it tried %d times", tries)
	}
}
