package live

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"k8s.io/apimachinery/pkg/runtime"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/grpc-sandbox/sandbox/services/control/api"
)

// statusOnGet sets the status of every fault that is read, as the control plane would have.
func statusOnGet(c *Cluster, status map[string]any) {
	fake := c.Kube.Dynamic.(*dynamicfake.FakeDynamicClient)
	tracker := fake.Tracker()
	fake.PrependReactor("get", "faults", func(a clienttesting.Action) (bool, runtime.Object, error) {
		got, err := tracker.Get(a.GetResource(), a.GetNamespace(), a.(clienttesting.GetAction).GetName())
		if err != nil {
			return true, nil, err
		}
		u := got.DeepCopyObject()
		setStatus(u, status)
		return true, u, nil
	})
	c.renewals.dial = func(context.Context) (*grpc.ClientConn, error) { return nil, errors.New("no control plane") }
}

func TestAddFault_WaitsForEveryProcess(t *testing.T) {
	for _, c := range []struct {
		sentence, wrong string
		status          map[string]any
		left            bool
	}{
		{"every process injects it", "", map[string]any{"phase": api.FaultActive}, true},
		{"the control plane refuses it, and it is cleared", "the control plane does not accept Fault mine", map[string]any{"phase": api.FaultRejected}, false},
		{"a process never injects it, and it is cleared", "waiting until every process enforces Fault mine: 1 of 2 processes inject it",
			map[string]any{"phase": api.FaultPending, "applied": int64(1), "total": int64(2)}, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			cluster := clusterWith()
			defer cluster.renewals.close()
			statusOnGet(cluster, c.status)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			err := cluster.AddFault(ctx, "mine", []byte(`{"leaseSeconds":10,"hang":{}}`))
			if (err != nil) != (c.wrong != "") || err != nil && !errorSays(err, c.wrong) {
				t.Errorf("%s: %v", c.sentence, err)
			}
			cluster.renewals.mu.Lock()
			kept := cluster.renewals.faults["mine"]
			cluster.renewals.mu.Unlock()
			_, err = cluster.Fault(t.Context(), "mine")
			if exists := !errors.Is(err, ErrNoObject); exists != c.left || kept != c.left {
				t.Errorf("%s: the fault exists: %t, its lease is renewed: %t", c.sentence, exists, kept)
			}
			if !c.left {
				return
			}
			if err := cluster.AddFault(ctx, "mine", []byte(`{"hang":{}}`)); err == nil || !errorSays(err, "there is a fault mine already") {
				t.Errorf("the same name again: %v", err)
			}
			if all, err := cluster.Faults(ctx); err != nil || len(all) != 1 || all[0].Name != "mine" {
				t.Errorf("all: %v, %v", all, err)
			}
			if err := cluster.ClearFault(ctx, "mine"); err != nil {
				t.Error(err)
			}
		})
	}
}

func setStatus(o runtime.Object, status map[string]any) {
	o.(interface{ UnstructuredContent() map[string]any }).UnstructuredContent()["status"] = status
}
