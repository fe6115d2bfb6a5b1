package live

import (
	"context"
	"errors"
	"fmt"
	"path"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/charts"
	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/scenarios"
	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
	"github.com/grpc-sandbox/sandbox/services/loadgen/loadgenv1"
)

const (
	// rpcLimit is the deadline of a request to the load generator.
	rpcLimit = 10 * time.Second
	// stopRPCLimit is the deadline of StopLoad, which first waits for the calls in flight, for less than this.
	stopRPCLimit = 15 * time.Second
)

// loads implements scenarios.Loads with the load generator.
type loads struct{ rpc loadgenv1.LoadGeneratorClient }

func (l loads) Start(ctx context.Context, s scenarios.LoadSpec) error { return l.start(ctx, s, nil) }

func (l loads) start(ctx context.Context, s scenarios.LoadSpec, gateway *loadgenv1.Gateway) error {
	ctx, cancel := context.WithTimeout(ctx, rpcLimit)
	defer cancel()
	_, err := l.rpc.StartLoad(ctx, &loadgenv1.StartLoadRequest{Gateway: gateway,
		Name: s.Name, Target: s.Call.Service, Method: s.Call.Method, RequestJson: s.Call.Request, Rate: float64(s.Rate), Seed: int64(s.Seed),
	})
	return loadError("starting", s.Name, err)
}

// partnerLoads sends the loads of partners through the gateway.
type partnerLoads struct {
	loads
	// partner issues a certificate to the partner of a load.
	partner func(ctx context.Context, name string) (PartnerPair, error)
}

// Start starts a load.
func (l partnerLoads) Start(ctx context.Context, s scenarios.LoadSpec) error {
	if s.Partner() == "" {
		return l.loads.Start(ctx, s)
	}
	pair, err := l.partner(ctx, s.Partner())
	if err != nil {
		return err
	}
	return l.start(ctx, s, through(pair))
}

// through is the gateway as a partner reaches it from inside the cluster.
func through(pair PartnerPair) *loadgenv1.Gateway {
	return &loadgenv1.Gateway{Address: charts.Gateway + "." + charts.ShopNamespace + ".svc:8443",
		CertificatePem: pair.CertificatePEM, KeyPem: pair.KeyPEM, RootsPem: pair.RootsPEM}
}

// admit issues a certificate to a partner, and makes its loads call with it. Loads that are not running are left out.
func (l partnerLoads) admit(ctx context.Context, partner string, names []string) error {
	pair, err := l.partner(ctx, partner)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := l.setGateway(ctx, name, through(pair)); err != nil && !errors.Is(err, scenarios.ErrNoLoad) {
			return err
		}
	}
	return nil
}

func (l loads) setGateway(ctx context.Context, name string, gateway *loadgenv1.Gateway) error {
	ctx, cancel := context.WithTimeout(ctx, rpcLimit)
	defer cancel()
	_, err := l.rpc.SetGateway(ctx, &loadgenv1.SetGatewayRequest{Name: name, Gateway: gateway})
	return loadError("changing the certificate of", name, err)
}

func (l loads) SetRate(ctx context.Context, name string, rate scenarios.Rate) error {
	ctx, cancel := context.WithTimeout(ctx, rpcLimit)
	defer cancel()
	_, err := l.rpc.SetRate(ctx, &loadgenv1.SetRateRequest{Name: name, Rate: float64(rate)})
	return loadError("changing", name, err)
}

func (l loads) Read(ctx context.Context, name string) (scenarios.LoadReading, error) {
	ctx, cancel := context.WithTimeout(ctx, rpcLimit)
	defer cancel()
	asked := time.Now()
	stats, err := l.rpc.GetLoad(ctx, &loadgenv1.GetLoadRequest{Name: name})
	if err != nil {
		return scenarios.LoadReading{}, loadError("reading", name, err)
	}
	return reading(stats, asked)
}

func (l loads) Stop(ctx context.Context, name string) (scenarios.LoadReading, error) {
	ctx, cancel := context.WithTimeout(ctx, stopRPCLimit)
	defer cancel()
	asked := time.Now()
	stats, err := l.rpc.StopLoad(ctx, &loadgenv1.StopLoadRequest{Name: name})
	if err != nil {
		return scenarios.LoadReading{}, loadError("stopping", name, err)
	}
	return reading(stats, asked)
}

// loadError wraps an error of the load generator with the load's name in the scenario, without the prefix of the run.
func loadError(doing, name string, err error) error {
	name = path.Base(name)
	switch status.Code(err) {
	case codes.OK:
		return nil
	case codes.NotFound:
		return fmt.Errorf("%s load %s: %w", doing, name, scenarios.ErrNoLoad)
	case codes.AlreadyExists:
		return fmt.Errorf("%s load %s: %w", doing, name, scenarios.ErrLoadTaken)
	}
	return remedy.Wrap(fmt.Errorf("%s load %s: %w", doing, name, err), refusal.Remedies(err)...)
}

func reading(s *loadgenv1.LoadStats, asked time.Time) (scenarios.LoadReading, error) {
	r := scenarios.LoadReading{At: asked, Rate: scenarios.Rate(s.GetRate()), Intended: s.GetIntended(), Sent: s.GetSent(), OK: s.GetOk(), Errors: s.GetErrors(), Refused: s.GetRefused(),
		Failures: failures(s, time.Now())}
	answered := s.GetAnsweredHistogram()
	if len(answered) == 0 {
		// The generator is older than this field. The engine notices when failed calls are included.
		answered = s.GetLatencyHistogram()
	}
	var err, err2 error
	r.Latency, err = histogram(answered)
	r.FailedLatency, err2 = histogram(s.GetFailedHistogram())
	if err = errors.Join(err, err2); err != nil {
		return scenarios.LoadReading{}, fmt.Errorf("reading load %s: its histogram: %w", s.GetName(), err)
	}
	return r, nil
}

func histogram(encoded []byte) (*hdrhistogram.Histogram, error) {
	if len(encoded) == 0 {
		return nil, nil
	}
	return hdrhistogram.Decode(encoded)
}

// clockSkew is the difference between the clocks of this machine and of the cluster from which on times are converted. A smaller one is the
// duration of the request.
const clockSkew = time.Second

// failures converts the load generator's times to the clock of this machine.
func failures(s *loadgenv1.LoadStats, now time.Time) []scenarios.FailurePeriod {
	var shift time.Duration
	if s.GetReadAt() != nil {
		if d := now.Sub(s.GetReadAt().AsTime()); d.Abs() > clockSkew {
			shift = d
		}
	}
	var out []scenarios.FailurePeriod
	for _, p := range s.GetFailures() {
		out = append(out, scenarios.FailurePeriod{First: p.GetFirstFailedAt().AsTime().Add(shift), Last: p.GetLastFailedAt().AsTime().Add(shift),
			Failed: p.GetFailed(), Outage: p.GetLongestOutage().AsDuration()})
	}
	return out
}
