package live

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc"

	"github.com/grpc-sandbox/sandbox/charts"
	"github.com/grpc-sandbox/sandbox/internal/pause"
	"github.com/grpc-sandbox/sandbox/services/control/controlv1"
)

// renewInterval is how often leases are renewed: several times within the shortest one, which is 5 s.
const renewInterval = time.Second

// renewals keeps the leases of faults alive, as long as this program runs.
type renewals struct {
	dial func(ctx context.Context) (*grpc.ClientConn, error)

	mu     sync.Mutex
	faults map[string]bool
	// stop ends the goroutine, which runs while there are faults; done is closed at its end.
	stop context.CancelFunc
	done chan struct{}
}

// keep renews the lease of a fault from now on.
func (r *renewals) keep(fault string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.faults == nil {
		r.faults = map[string]bool{}
	}
	r.faults[fault] = true
	if r.stop == nil {
		ctx, stop := context.WithCancel(context.Background())
		r.stop, r.done = stop, make(chan struct{})
		go r.run(ctx, r.done)
	}
}

// drop renews the lease of a fault no more.
func (r *renewals) drop(fault string) {
	r.mu.Lock()
	delete(r.faults, fault)
	last := len(r.faults) == 0
	r.mu.Unlock()
	if last {
		r.close()
	}
}

// close ends all renewals. The leases end by themselves.
func (r *renewals) close() {
	r.mu.Lock()
	stop, done := r.stop, r.done
	r.stop, r.done = nil, nil
	r.mu.Unlock()
	if stop != nil {
		stop()
		<-done
	}
}

func (r *renewals) run(ctx context.Context, done chan<- struct{}) {
	defer close(done)
	var stream grpc.BidiStreamingClient[controlv1.RenewRequest, controlv1.RenewResponse]
	round := func(ctx context.Context) error {
		if stream == nil {
			// Without the control plane there is another attempt in the next round. The processes end the faults if none succeeds.
			if conn, err := r.dial(ctx); err == nil {
				if stream, err = controlv1.NewLeasesClient(conn).Renew(ctx); err != nil {
					stream = nil
				}
			}
		}
		if stream != nil && r.renew(stream) != nil {
			stream = nil
		}
		return nil
	}
	_ = round(ctx)
	_ = pause.Every(ctx, renewInterval, round)
}

// renew renews every lease once. A fault that is not known may not have reached the control plane yet.
func (r *renewals) renew(stream grpc.BidiStreamingClient[controlv1.RenewRequest, controlv1.RenewResponse]) error {
	r.mu.Lock()
	names := slices.Sorted(maps.Keys(r.faults))
	r.mu.Unlock()
	for _, name := range names {
		if err := stream.Send(&controlv1.RenewRequest{Namespace: charts.ShopNamespace, Name: name}); err != nil {
			return err
		}
		if _, err := stream.Recv(); err != nil {
			return err
		}
	}
	return nil
}
