package loadgen

import (
	"context"
	"errors"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/governance"
	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
	"github.com/grpc-sandbox/sandbox/services/loadgen/loadgenv1"
	"github.com/grpc-sandbox/sandbox/services/loadgen/loadspec"
)

// Server implements loadgen.v1.LoadGenerator.
type Server struct {
	loadgenv1.UnimplementedLoadGeneratorServer
	loads *loads
	// conns are indexed by the name of the target, and do not change.
	conns    map[string]invoker
	events   *governance.Events
	stopping <-chan struct{}
	// through connects to a gateway as a partner.
	through func(*loadgenv1.Gateway) (*grpc.ClientConn, error)
}

// StartLoad starts a load. It first checks that its first request can be made.
func (s *Server) StartLoad(ctx context.Context, req *loadgenv1.StartLoadRequest) (*loadgenv1.LoadStats, error) {
	if req.GetName() == "" {
		return nil, status.Error(codes.InvalidArgument, "a load needs a name")
	}
	conn, gateway, err := s.connection(ctx, req)
	if err != nil {
		return nil, err
	}
	started := false
	defer func() {
		if !started && gateway != nil {
			gateway.close()
		}
	}()
	if err := loadspec.CheckRate(req.GetRate()); err != nil {
		return nil, refusal.Because(codes.InvalidArgument, err)
	}
	send, err := newCall(conn, req)
	if err != nil {
		return nil, refusal.Because(codes.InvalidArgument, err)
	}
	l, err := s.loads.startThrough(gateway, req.GetName(), req.GetTarget(), req.GetMethod(), Pace(req.GetRate()), send)
	if err != nil {
		return nil, asStatus(req.GetName(), err)
	}
	started = true
	s.event(req.GetName(), "started")
	return l.stats()
}

func newCall(conn invoker, req *loadgenv1.StartLoadRequest) (call, error) {
	m, err := findMethod(req.GetMethod())
	if err != nil {
		return nil, err
	}
	text := req.GetRequestJson()
	if text == "" {
		text = "{}"
	}
	template, err := loadspec.ParseTemplate(text)
	if err != nil {
		return nil, err
	}
	if _, err := m.request(template.Render(req.GetSeed(), 0)); err != nil {
		return nil, err
	}
	return func(ctx context.Context, n int64) error {
		msg, err := m.request(template.Render(req.GetSeed(), n))
		if err != nil {
			return refusal.Because(codes.InvalidArgument, err)
		}
		return m.invoke(ctx, conn, msg)
	}, nil
}

// SetRate changes the rate of a running load.
func (s *Server) SetRate(_ context.Context, req *loadgenv1.SetRateRequest) (*loadgenv1.LoadStats, error) {
	if err := loadspec.CheckRate(req.GetRate()); err != nil {
		return nil, refusal.Because(codes.InvalidArgument, err)
	}
	l, err := s.loads.get(req.GetName())
	if err != nil {
		return nil, asStatus(req.GetName(), err)
	}
	l.setRate(Pace(req.GetRate()))
	s.event(req.GetName(), "rate changed")
	return l.stats()
}

// GetLoad returns the statistics of a running load.
func (s *Server) GetLoad(_ context.Context, req *loadgenv1.GetLoadRequest) (*loadgenv1.LoadStats, error) {
	l, err := s.loads.get(req.GetName())
	if err != nil {
		return nil, asStatus(req.GetName(), err)
	}
	return l.stats()
}

// StopLoad stops a load, waits for its calls in flight, and returns its last statistics.
func (s *Server) StopLoad(ctx context.Context, req *loadgenv1.StopLoadRequest) (*loadgenv1.LoadStats, error) {
	l, err := s.loads.stop(ctx, req.GetName())
	if err != nil {
		return nil, asStatus(req.GetName(), err)
	}
	s.event(req.GetName(), "stopped")
	return l.stats()
}

// ListLoads returns the statistics of all running loads, sorted by name.
func (s *Server) ListLoads(context.Context, *loadgenv1.ListLoadsRequest) (*loadgenv1.ListLoadsResponse, error) {
	out := &loadgenv1.ListLoadsResponse{}
	for _, l := range s.loads.list() {
		stats, err := l.stats()
		if err != nil {
			return nil, err
		}
		out.Loads = append(out.Loads, stats)
	}
	return out, nil
}

func (s *Server) event(load, detail string) {
	s.events.Add(governance.Event{Kind: governance.KindLoad, Subject: load, Detail: detail})
}

func asStatus(name string, err error) error {
	code := codes.Internal
	switch {
	case errors.Is(err, errNoSuchLoad):
		code = codes.NotFound
	case errors.Is(err, errNameTaken):
		code = codes.AlreadyExists
	case errors.Is(err, errStopping):
		code = codes.Unavailable
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return status.FromContextError(err).Err()
	}
	return status.Errorf(code, "load %q: %v", name, err)
}
