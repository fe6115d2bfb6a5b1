//go:build linux

package speed

import (
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/grpc-sandbox/sandbox/internal/bench"
	"github.com/grpc-sandbox/sandbox/services/user/userv1"
)

// method is a method and the ways to call it.
type method struct {
	// name is that of the gRPC method, route the request of REST.
	name, route           string
	direct, through, rest func(context.Context) error
}

func (w *world) methods() []method {
	get, create := &userv1.GetUserRequest{UserId: "u-1"}, &userv1.CreateUserRequest{Name: "Ada Lovelace", Email: "ada@example.com", Age: 36}
	getBy := func(client userv1.UserServiceClient) func(context.Context) error {
		return func(ctx context.Context) error { _, err := client.GetUser(ctx, get); return err }
	}
	createBy := func(client userv1.UserServiceClient) func(context.Context) error {
		return func(ctx context.Context) error { _, err := client.CreateUser(ctx, create); return err }
	}
	body := map[string]any{"name": create.GetName(), "email": create.GetEmail(), "age": create.GetAge()}
	return []method{
		{"GetUser", "GET /v1/users/u-1", getBy(w.direct), getBy(w.through), func(ctx context.Context) error { return w.request(ctx, "GET", "/v1/users/u-1", nil) }},
		{"CreateUser", "POST /v1/users", createBy(w.direct), createBy(w.through), func(ctx context.Context) error { return w.request(ctx, "POST", "/v1/users", body) }},
	}
}

// extent says how much is measured.
type extent struct {
	// rounds is the number of blocks of each kind, calls that of the calls in a block when calls are made one at a time.
	rounds, calls int
	// loads is the number of blocks with many calls at a time, and load how long each lasts.
	loads int
	load  time.Duration
	// streams is the number of streams of each kind.
	streams int
}

// concurrency is the number of calls at a time that saturates a machine with two cores.
const concurrency = 32

// result is everything that was measured.
type result struct {
	single  []single
	loads   []load
	streams []stream
}

// single is a method that is called by one caller, one call at a time.
type single struct {
	method                method
	direct, through, rest percentiles
}

// percentiles are in milliseconds.
type percentiles struct{ p50, p99 float64 }

// load is what many callers at a time achieve.
type load struct {
	name string
	// gateway means that the calls went through it.
	gateway bool
	calls   int
	took    time.Duration
	used    used
}

// stream is the median throughput of 10 MB in MB/s.
type stream struct {
	name            string
	direct, through float64
}

func (w *world) measure(ctx context.Context, e extent) (r result, err error) {
	if r.single, err = w.oneAtATime(ctx, e); err != nil {
		return r, err
	}
	if r.loads, err = w.manyAtATime(ctx, e); err != nil {
		return r, err
	}
	if r.streams, err = w.throughput(ctx, e); err != nil {
		return r, err
	}
	return r, nil
}

// warmUp is the number of calls at the start of a block that do not count: they find cold caches.
const warmUp = 5

// oneAtATime measures the latency of calls.
func (w *world) oneAtATime(ctx context.Context, e extent) (all []single, err error) {
	methods := w.methods()
	var calls []func(context.Context) error
	for _, m := range methods {
		calls = append(calls, m.direct, m.through, m.rest)
	}
	took := make([][]time.Duration, len(calls))
	for range e.rounds {
		for i, call := range calls {
			for n := range warmUp + e.calls {
				began := time.Now()
				if err := call(ctx); err != nil {
					return nil, err
				}
				if n >= warmUp {
					took[i] = append(took[i], time.Since(began))
				}
			}
		}
	}
	of := func(took []time.Duration) (p percentiles) { p.p50, p.p99 = bench.Percentiles(took); return p }
	for i, m := range methods {
		all = append(all, single{m, of(took[3*i]), of(took[3*i+1]), of(took[3*i+2])})
	}
	return all, nil
}

// manyAtATime measures calls per second and what they cost.
func (w *world) manyAtATime(ctx context.Context, e extent) (all []load, err error) {
	var calls []func(context.Context) error
	for _, m := range w.methods() {
		calls = append(calls, m.direct, m.through, m.rest)
		all = append(all, load{name: m.name + ", direct"}, load{name: m.name + ", through the gateway", gateway: true}, load{name: m.route + ", through the gateway", gateway: true})
	}
	for round := range e.loads + 1 {
		for i, call := range calls {
			one, err := w.block(ctx, call, e.load)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", all[i].name, err)
			}
			// In the first round nginx opens its connections.
			if round == 0 {
				continue
			}
			all[i].calls += one.calls
			all[i].took += one.took
			all[i].used = all[i].used.plus(one.used)
		}
	}
	return all, nil
}

// block makes as many calls as it can.
func (w *world) block(ctx context.Context, call func(context.Context) error, lasts time.Duration) (l load, err error) {
	before, err := w.soFar(ctx)
	if err != nil {
		return l, err
	}
	counts := make([]int, concurrency)
	began := time.Now()
	group, working := errgroup.WithContext(ctx)
	for i := range counts {
		group.Go(func() error {
			for time.Since(began) < lasts {
				if err := call(working); err != nil {
					return err
				}
				counts[i]++
			}
			return nil
		})
	}
	err = group.Wait()
	l.took = time.Since(began)
	if err != nil {
		return l, err
	}
	for _, n := range counts {
		l.calls += n
	}
	after, err := w.soFar(ctx)
	l.used = after.since(before)
	return l, err
}

// throughput measures streams of 10 MB from the service and to the service.
func (w *world) throughput(ctx context.Context, e extent) (all []stream, err error) {
	for _, direction := range []struct {
		name     string
		transfer func(context.Context, userv1.UserServiceClient) error
	}{{"from the service", receiveStream}, {"to the service", sendStream}} {
		var speeds [2][]float64
		// Flow control needs some streams to find its windows.
		for n := range warmUp + e.streams {
			for i, client := range []userv1.UserServiceClient{w.direct, w.through} {
				began := time.Now()
				if err := direction.transfer(ctx, client); err != nil {
					return nil, fmt.Errorf("a stream %s: %w", direction.name, err)
				}
				if n >= warmUp {
					speeds[i] = append(speeds[i], streamBytes/time.Since(began).Seconds()/1e6)
				}
			}
		}
		for i := range speeds {
			slices.Sort(speeds[i])
		}
		all = append(all, stream{direction.name, speeds[0][e.streams/2], speeds[1][e.streams/2]})
	}
	return all, nil
}

// receiveStream receives 10 MB.
func receiveStream(ctx context.Context, client userv1.UserServiceClient) error {
	s, err := client.Chat(ctx)
	if err != nil {
		return err
	}
	if err := s.Send(&userv1.ChatMessage{Room: download}); err != nil {
		return err
	}
	if err := s.CloseSend(); err != nil {
		return err
	}
	received, err := receive(s.Recv)
	if err == nil && received != streamBytes {
		err = fmt.Errorf("received %d bytes, want %d", received, streamBytes)
	}
	return err
}

// sendStream sends 10 MB and waits until the service has received them.
func sendStream(ctx context.Context, client userv1.UserServiceClient) error {
	s, err := client.Chat(ctx)
	if err != nil {
		return err
	}
	if err := s.Send(&userv1.ChatMessage{Room: upload}); err != nil {
		return err
	}
	message := &userv1.ChatMessage{Text: text}
	for range messageNumber {
		if err := s.Send(message); err != nil {
			return err
		}
	}
	if err := s.CloseSend(); err != nil {
		return err
	}
	answer, err := s.Recv()
	if err != nil {
		return err
	}
	if answer.GetId() != streamBytes {
		return fmt.Errorf("the service received %d bytes, want %d", answer.GetId(), streamBytes)
	}
	_, err = receive(s.Recv)
	return err
}
