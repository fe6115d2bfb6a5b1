package cluster

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestCreateIsStoppedBeforeItsNodeIsThere: kind takes no context, and waits half a minute for a node that it has only asked for.
func TestCreateIsStoppedBeforeItsNodeIsThere(t *testing.T) {
	dir := t.TempDir()
	node, asked := filepath.Join(dir, "node"), filepath.Join(dir, "asked")
	e, _ := fakeEngineNamed(t, "podman", `
node='`+node+`'
case "$1" in
--version) echo podman version 5.4.2 ;;
info) echo '{"host":{"cgroupVersion":"v2","cgroupControllers":["cpu","memory","pids"]}}' ;;
ps) [ ! -e "$node" ] || echo one-control-plane ;;
inspect) [ "$2" = --type=image ] || echo '[{"Name":"one-control-plane","NetworkSettings":{"Networks":{"sandbox-one":{}}}}]' ;;
network) [ "$2" != inspect ] || echo '[]' ;;
volume) echo v ;;
run) touch '`+asked+`'; sleep 1; touch "$node" ;; # the first removal comes before the node
logs) while [ -e "$node" ]; do sleep 0.05; done ;;
rm) rm -f "$node" ;;
esac`)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		for ctx.Err() == nil {
			if _, err := os.Stat(asked); err == nil {
				cancel()
			}
			time.Sleep(time.Millisecond)
		}
	}()
	begun := time.Now()
	err := Cluster{Name: "one", Engine: e, Kubeconfig: filepath.Join(dir, "kubeconfig"), Image: "node:1"}.Create(ctx, Host{}, Heard{})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with %v", err)
	}
	if took := time.Since(begun); took > 20*time.Second {
		t.Errorf("it ended after %v: kind was waited for", took)
	}
	if _, err := os.Stat(node); err == nil {
		t.Error("the node is still there")
	}
}
