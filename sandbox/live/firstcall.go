package live

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/charts"
	"github.com/grpc-sandbox/sandbox/internal/pause"
	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox/kube"
	"github.com/grpc-sandbox/sandbox/services/loadgen/loadgenv1"
)

// FirstCall makes the call of [charts.FirstCall] over mutual TLS and waits for its response.
func FirstCall(ctx context.Context, client *kube.Client) error {
	c := &Cluster{Kube: client}
	defer c.Close()
	called := charts.FirstCall()
	conn, err := c.Dial(ctx, called.Name)
	if err != nil {
		return fmt.Errorf("making the first call: %w", err)
	}
	return firstAnswer(ctx, conn, called, time.Minute)
}

// firstAnswer retries until limit, because the certificates of ready pods may be newer than this machine's clock.
func firstAnswer(ctx context.Context, conn grpc.ClientConnInterface, called charts.Service, limit time.Duration) error {
	ctx, done := context.WithTimeout(ctx, limit)
	defer done()
	if err := invoke(ctx, conn, called.Read, grpc.WaitForReady(true)); err != nil {
		return remedy.Errorf(remedy.Command("logs", called.Name), "making the first call: %w", err)
	}
	return nil
}

// checkLoad is the name of the load with which `up` checks that calls of the load generator are answered.
const checkLoad = "up-check"

// LoadCall waits until the load generator has received an answer to the call of [charts.FirstCall].
func LoadCall(ctx context.Context, client *kube.Client) error {
	c := &Cluster{Kube: client}
	defer c.Close()
	conn, err := c.Dial(ctx, charts.LoadGenerator)
	if err != nil {
		return fmt.Errorf("asking the load generator for a call: %w", err)
	}
	ctx, done := context.WithTimeout(ctx, loadCallLimit)
	defer done()
	return answeredLoad(ctx, loadgenv1.NewLoadGeneratorClient(conn))
}

const loadCallLimit = time.Minute

// answeredLoad runs a small load until one of its calls was answered.
func answeredLoad(ctx context.Context, rpc loadgenv1.LoadGeneratorClient) error {
	called := charts.FirstCall()
	start := &loadgenv1.StartLoadRequest{Name: checkLoad, Target: called.Name, Method: called.Read.Name, RequestJson: called.Read.Request, Rate: 50}
	_, err := rpc.StartLoad(ctx, start, grpc.WaitForReady(true))
	if status.Code(err) == codes.AlreadyExists {
		// An earlier `up` was killed and left the load.
		if _, err = rpc.StopLoad(ctx, &loadgenv1.StopLoadRequest{Name: checkLoad}); err == nil {
			_, err = rpc.StartLoad(ctx, start)
		}
	}
	if err != nil {
		return fmt.Errorf("starting a load: %w", err)
	}
	defer func() {
		clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		// If this fails, the next `up` stops the load.
		_, _ = rpc.StopLoad(clean, &loadgenv1.StopLoadRequest{Name: checkLoad})
	}()
	var last *loadgenv1.LoadStats
	err = pause.Until(ctx, 50*time.Millisecond, func(ctx context.Context) (bool, error) {
		stats, err := rpc.GetLoad(ctx, &loadgenv1.GetLoadRequest{Name: checkLoad})
		if err == nil {
			last = stats
		}
		return stats.GetOk() > 0, nil
	})
	if err != nil {
		return remedy.Wrap(fmt.Errorf("waiting for a call of the load generator to be answered: %w (sent %d, errors %v)", err, last.GetSent(), last.GetErrors()),
			remedy.Command("status"), remedy.Command("logs", charts.LoadGenerator))
	}
	return nil
}
