package scenarios

import (
	"context"
	"strings"

	"github.com/grpc-sandbox/sandbox/scenarios/target"
)

// fakeObjects are the objects of a fakeCluster. Every change is in force at once.
type fakeObjects struct{ *fakeCluster }

func (f fakeObjects) Put(ctx context.Context, o target.Object) error {
	if err := f.touch(ctx, "Put", "put %s", o.Kind); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.objects[o.Kind+"/"+o.Name] = o
	return nil
}

func (f fakeObjects) Get(_ context.Context, kind, name string) (target.Object, bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	o, ok := f.objects[kind+"/"+name]
	return o, ok, f.broken["Get"]
}

func (f fakeObjects) Delete(ctx context.Context, kind, name string) error {
	if err := f.touch(ctx, "Delete", "delete %s", kind); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.objects, kind+"/"+name)
	return nil
}

// faulty reports whether a fault makes the calls of a service fail: one that aborts them in all of its pods, because callers eject a single one. w.mu is held.
func (w *fakeCluster) faulty(service string) bool {
	for _, o := range w.objects {
		if o.Kind == target.Fault && strings.Contains(o.Spec, service) && strings.Contains(o.Spec, `"abort"`) && !strings.Contains(o.Spec, `"pods"`) {
			return true
		}
	}
	return false
}
