package traffic

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/grpc-sandbox/sandbox/services/control/api"
)

// fakeInjector has the faults that were added and not cleared.
type fakeInjector struct {
	calls  []string
	faults map[string]*api.Fault
	// failing are faults that cannot be added.
	failing map[string]error
	// after changes a fault at a time after it was added.
	after   map[time.Duration]func(*fakeInjector)
	started time.Time
	// away is the error of an API server that does not answer.
	away error
}

func (f *fakeInjector) AddFault(_ context.Context, name string, spec json.RawMessage) error {
	f.calls = append(f.calls, "add "+name)
	if err := f.failing[name]; err != nil {
		return err
	}
	one := &api.Fault{Spec: spec}
	one.Name, one.Status.Phase, one.Status.Applied = name, api.FaultActive, 1
	one.Status.Targets = []api.FaultTarget{{Pod: "userservice-1", State: "Applied"}}
	f.faults[name] = one
	return nil
}

func (f *fakeInjector) Fault(_ context.Context, name string) (*api.Fault, error) {
	for at, change := range f.after {
		if time.Since(f.started) >= at {
			change(f)
			delete(f.after, at)
		}
	}
	if f.away != nil {
		return nil, f.away
	}
	if one := f.faults[name]; one != nil {
		return one, nil
	}
	return nil, fmt.Errorf("fault %s: %w", name, ErrNoObject)
}

func (f *fakeInjector) ClearFault(ctx context.Context, name string) error {
	f.calls = append(f.calls, "clear "+name)
	delete(f.faults, name)
	return ctx.Err()
}

func faultNamed(t *testing.T, name string, o FaultOptions) NamedFault {
	t.Helper()
	o.Release, o.Abort, o.Percent = "userservice", "UNAVAILABLE", 100
	spec, err := NewFault(o)
	if err != nil {
		t.Fatal(err)
	}
	return NamedFault{name, spec}
}

func TestInjection_ClearsFaultsInTheEnd(t *testing.T) {
	const cleared = "add a\nadd b\nclear a\nclear b"
	for _, c := range []struct {
		sentence string
		failing  map[string]error
		after    map[time.Duration]func(*fakeInjector)
		limit    time.Duration
		took     time.Duration
		calls    string
		wrong    string
	}{
		{"until Ctrl-C", nil, nil, 0, time.Minute, cleared, ""},
		{"until the time is over", nil, nil, 30 * time.Second, 30 * time.Second, cleared, ""},
		{"until another command has cleared all of them", nil, map[time.Duration]func(*fakeInjector){10 * time.Second: func(f *fakeInjector) { clear(f.faults) }}, 0, 10 * time.Second, cleared, ""},
		{"not if one of two is still there", nil, map[time.Duration]func(*fakeInjector){10 * time.Second: func(f *fakeInjector) { delete(f.faults, "a") }}, 0, time.Minute, cleared, ""},
		{"an API server that is away for a while", nil, map[time.Duration]func(*fakeInjector){
			10 * time.Second: func(f *fakeInjector) { f.away = errors.New("no route to host") }, 35 * time.Second: func(f *fakeInjector) { f.away = nil }}, 0, time.Minute, cleared, ""},
		{"a cluster that is gone", nil, map[time.Duration]func(*fakeInjector){10 * time.Second: func(f *fakeInjector) { f.away = errors.New("no route to host") }}, 0, 39 * time.Second,
			cleared, "the cluster has not answered for 30s: no route to host"},
		{"one that cannot be added", map[string]error{"b": errors.New("no pod injects it")}, nil, 0, 0, "add a\nadd b\nclear a", "no pod injects it"},
		{"a lost lease", nil, map[time.Duration]func(*fakeInjector){10 * time.Second: func(f *fakeInjector) {
			f.faults["a"].Status.Phase, f.faults["a"].Status.Reason = api.FaultEnded, "its lease was not renewed"
		}}, 0, 10 * time.Second, cleared, "fault a has ended: its lease was not renewed"},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			f := &fakeInjector{faults: map[string]*api.Fault{}, failing: c.failing, after: c.after, started: time.Now()}
			var cleared []string
			err := Injection{
				Faults: []NamedFault{faultNamed(t, "a", FaultOptions{Cut: -1}), faultNamed(t, "b", FaultOptions{Cut: -1})}, Limit: c.limit,
				Added:   func([]FaultSummary) error { return nil },
				Cleared: func(name string) { cleared = append(cleared, "clear "+name) },
			}.Run(ctx, f)
			if !strings.HasSuffix(c.calls, strings.Join(cleared, "\n")) || len(cleared) == 0 {
				t.Errorf("%s: reported %q", c.sentence, cleared)
			}
			if took := time.Since(f.started); took != c.took {
				t.Errorf("%s: it took %s, want %s", c.sentence, took, c.took)
			}
			if diff := cmp.Diff(c.calls, strings.Join(f.calls, "\n")); diff != "" {
				t.Errorf("%s (-want +got):\n%s", c.sentence, diff)
			}
			if (err != nil) != (c.wrong != "") || err != nil && err.Error() != c.wrong {
				t.Errorf("%s: %v", c.sentence, err)
			}
		})
	}
}
