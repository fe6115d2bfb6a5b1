package main

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

	"github.com/grpc-sandbox/sandbox/sandbox/live"
	"github.com/grpc-sandbox/sandbox/sandbox/live/traffic"
	"github.com/grpc-sandbox/sandbox/services/control/api"
)

// fakeInjector has the faults that were added and not cleared. Each ends after five seconds.
type fakeInjector struct {
	faults  map[string]*api.Fault
	started time.Time
	// reason is why the faults end.
	reason string
}

func (f *fakeInjector) AddFault(_ context.Context, name string, spec json.RawMessage) error {
	one := &api.Fault{Spec: spec}
	one.Name, one.Status.Phase, one.Status.Applied = name, api.FaultActive, 1
	one.Status.Targets = []api.FaultTarget{{Pod: "userservice-1", State: "Applied"}}
	f.faults[name], f.started = one, time.Now()
	return nil
}

func (f *fakeInjector) Fault(_ context.Context, name string) (*api.Fault, error) {
	one := f.faults[name]
	if one == nil {
		return nil, fmt.Errorf("fault %s: %w", name, live.ErrNoObject)
	}
	if time.Since(f.started) >= 5*time.Second {
		one.Status.Phase, one.Status.Reason = api.FaultEnded, f.reason
	}
	return one, nil
}

func (f *fakeInjector) ClearFault(ctx context.Context, name string) error {
	delete(f.faults, name)
	return ctx.Err()
}

func faultNamed(t *testing.T, name string, o traffic.FaultOptions) traffic.NamedFault {
	t.Helper()
	o.Release, o.Abort, o.Percent = "userservice", "UNAVAILABLE", 100
	spec, err := traffic.NewFault(o)
	if err != nil {
		t.Fatal(err)
	}
	return traffic.NamedFault{Name: name, Spec: spec}
}

func TestInjectFaults_DurationEndsTheCommand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeInjector{faults: map[string]*api.Fault{}}
		var out, errs strings.Builder
		fault := faultNamed(t, "a", traffic.FaultOptions{Cut: -1, For: 5 * time.Second, Method: "user.v1.UserService/GetUser"})
		if err := injectFaults(t.Context(), process{stdout: &out, stderr: &errs}, f, traffic.Injection{Faults: []traffic.NamedFault{fault}}, false); err != nil {
			t.Error(err)
		}
		const want = "FAULT  SELECTOR                            SIDE    CALLS                        EFFECT                     PHASE   PODS  WHY\n" +
			"a      app.kubernetes.io/name=userservice  server  user.v1.UserService/GetUser  abort {code: UNAVAILABLE}  Active  1/1   \n"
		if diff := cmp.Diff(want, out.String()); diff != "" {
			t.Errorf("output (-want +got):\n%s", diff)
		}
		if errs.String() != "until you press Ctrl-C\na: cleared\n" {
			t.Errorf("messages %q", errs.String())
		}
	})
}

func TestInjectFaults_EndedBeforeItsTimeExitsWithOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeInjector{faults: map[string]*api.Fault{}, reason: "its lease was not renewed"}
		var out, errs strings.Builder
		err := injectFaults(t.Context(), process{stdout: &out, stderr: &errs}, f,
			traffic.Injection{Faults: []traffic.NamedFault{faultNamed(t, "a", traffic.FaultOptions{Cut: -1})}, Limit: time.Minute}, false)
		var coded *codedError
		if !errors.As(err, &coded) || coded.code != exitNotHeld || err.Error() != "fault a has ended: its lease was not renewed" {
			t.Errorf("got %v", err)
		}
		if errs.String() != "for 1m0s, or until you press Ctrl-C\na: cleared\n" {
			t.Errorf("messages %q", errs.String())
		}
	})
}
