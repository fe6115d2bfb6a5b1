package order

import (
	"context"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/governance"
	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
	"github.com/grpc-sandbox/sandbox/services/order/orderv1"
	"github.com/grpc-sandbox/sandbox/services/postgres/pgtest"
	"github.com/grpc-sandbox/sandbox/services/user/userv1"
)

// people is a UserService whose answer a test chooses.
type people struct {
	userv1.UnimplementedUserServiceServer
	mu     sync.Mutex
	answer func(context.Context) error
	asked  int
}

func (p *people) GetUser(ctx context.Context, r *userv1.GetUserRequest) (*userv1.GetUserResponse, error) {
	p.mu.Lock()
	p.asked++
	answer := p.answer
	p.mu.Unlock()
	if err := answer(ctx); err != nil {
		return nil, err
	}
	return &userv1.GetUserResponse{User: &userv1.User{UserId: r.GetUserId(), Name: "Ada Lovelace"}}, nil
}

func (p *people) will(answer func(context.Context) error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answer = answer
}

func (p *people) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked
}

// serve runs the service until stop, which closes connections abruptly like a killed pod, or until the end of the test.
func (p *people) serve(t *testing.T) (address string, stop func()) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer()
	userv1.RegisterUserServiceServer(s, p)
	served := make(chan error, 1)
	go func() { served <- s.Serve(listener) }()
	stop = sync.OnceFunc(func() {
		s.Stop()
		if err := <-served; err != nil {
			t.Error("serving people:", err)
		}
	})
	t.Cleanup(stop)
	return listener.Addr().String(), stop
}

func knows(context.Context) error { return nil }

func says(code codes.Code) func(context.Context) error {
	return func(context.Context) error { return status.Error(code, "chosen") }
}

func TestCreateOrder_UserServiceDown(t *testing.T) {
	t.Parallel()
	server := pgtest.Shared(t)
	s := openShop(t, server, server.Database(t))
	users := &people{answer: knows}
	var stop func()
	s.cfg.Users, stop = users.serve(t)
	client := s.serve(t)
	order := func(user string) (*orderv1.Order, []string, error) {
		r := request("", "sku-2", 1)
		r.UserId = user
		var header metadata.MD
		got, err := client.CreateOrder(t.Context(), r, grpc.Header(&header))
		return got.GetOrder(), header.Get(governance.FallbackHeader), err
	}
	const known, unknown, forgotten = "u-1", "u-2", "u-3"
	const mark = "userservice/user.v1.UserService/GetUser "
	for _, c := range []struct {
		sentence string
		answer   func(context.Context) error
		user     string
		code     codes.Code
		// mark is the header of an order that used a remembered profile.
		mark string
	}{
		{"the first order of a user", knows, known, codes.OK, ""},
		{"an order of another user", knows, forgotten, codes.OK, ""},
		{"a known user, UserService unavailable", says(codes.Unavailable), known, codes.OK, mark + "UNAVAILABLE"},
		{"a known user, UserService too slow", says(codes.DeadlineExceeded), known, codes.OK, mark + "DEADLINE_EXCEEDED"},
		{"an unknown user, UserService unavailable", says(codes.Unavailable), unknown, codes.Unavailable, ""},
		{"a known user, UserService back", knows, known, codes.OK, ""},
		{"a known user, INVALID_ARGUMENT", says(codes.InvalidArgument), known, codes.InvalidArgument, ""},
		{"a known user, PERMISSION_DENIED", says(codes.PermissionDenied), known, codes.PermissionDenied, ""},
		{"a known user, deleted in the meantime", says(codes.NotFound), forgotten, codes.NotFound, ""},
		{"a deleted user, UserService unavailable", says(codes.Unavailable), forgotten, codes.Unavailable, ""},
	} {
		users.will(c.answer)
		got, mark, err := order(c.user)
		if status.Code(err) != c.code || (c.mark == "") != (len(mark) == 0) || c.mark != "" && mark[0] != c.mark {
			t.Errorf("%s: got %v, marked %q", c.sentence, err, mark)
		}
		if c.code == codes.OK && (got.GetState() != orderv1.OrderState_ORDER_STATE_CONFIRMED || got.GetUserName() != "Ada Lovelace") {
			t.Errorf("%s: got %v", c.sentence, got)
		}
	}
	users.will(says(codes.Unavailable))
	before := users.count()
	for range 30 {
		if _, _, err := order(unknown); status.Code(err) != codes.Unavailable || refusal.Reason(err) != ReasonUndone {
			t.Fatal("an unknown user, breaker open:", err)
		}
	}
	if users.count() == before+30 {
		t.Error("the breaker did not open")
	}
	stop()
	for range 2 {
		if got, mark, err := order(known); got.GetState() != orderv1.OrderState_ORDER_STATE_CONFIRMED || len(mark) != 1 {
			t.Errorf("a known user, breaker open: got %v, %v, marked %q", got, err, mark)
		}
	}
	settled(t, client)
}

// asking is a UserServiceClient without a server.
type asking struct {
	userv1.UserServiceClient
	answer func(context.Context) error
	// fallback marks the answer as one of the fallback.
	fallback bool
}

func (a asking) GetUser(ctx context.Context, r *userv1.GetUserRequest, opts ...grpc.CallOption) (*userv1.GetUserResponse, error) {
	for _, o := range opts {
		if header, ok := o.(grpc.HeaderCallOption); ok && a.fallback {
			*header.HeaderAddr = metadata.Pairs(governance.FallbackHeader, "userservice")
		}
	}
	return &userv1.GetUserResponse{User: &userv1.User{UserId: r.GetUserId(), Name: "Ada"}}, a.answer(ctx)
}

func TestBuyersName_SilentUserService(t *testing.T) {
	silent := func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	}
	for _, c := range []struct {
		sentence string
		limit    time.Duration
		answer   func(context.Context) error
		code     codes.Code
		took     time.Duration
	}{
		{"the limit of the lookup ends first", 4 * time.Second, silent, codes.Unavailable, 2 * time.Second},
		{"the caller's deadline ends first", 4 * time.Second, func(context.Context) error {
			time.Sleep(5 * time.Second)
			return context.DeadlineExceeded
		}, codes.DeadlineExceeded, 5 * time.Second},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, done := context.WithTimeout(t.Context(), c.limit)
				defer done()
				start := time.Now()
				_, err := buyers{asking{answer: c.answer}, newTestProfiles(t, 1)}.name(ctx, ctx, "u-1")
				if status.Code(err) != c.code || time.Since(start) != c.took {
					t.Errorf("got %v after %s", err, time.Since(start))
				}
			})
		})
	}
}

func newTestProfiles(t *testing.T, size int) *profiles {
	t.Helper()
	p, err := newProfiles(size, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestProfiles_RememberedUsers remembers at most two users, each for an hour after the last answer.
func TestProfiles_RememberedUsers(t *testing.T) {
	fresh, fallback := asking{answer: knows}, asking{answer: knows, fallback: true}
	type event struct {
		// after is the time since the previous event.
		after  time.Duration
		answer asking
		user   string
	}
	for _, c := range []struct {
		sentence string
		events   []event
		// known lists which of u-1, u-2 and u-3 are remembered.
		known string
	}{
		{"empty at first", nil, ""},
		{"a user that was answered", []event{{0, fresh, "u-1"}}, "u-1 "},
		{"a user is dropped when there are too many", []event{{0, fresh, "u-1"}, {0, fresh, "u-2"}, {0, fresh, "u-3"}}, "u-2 u-3 "},
		{"the least recently seen user is dropped", []event{{0, fresh, "u-1"}, {0, fresh, "u-2"}, {0, fresh, "u-1"}, {0, fresh, "u-3"}}, "u-1 u-3 "},
		{"a profile is kept for an hour", []event{{0, fresh, "u-1"}, {time.Hour, fresh, "u-2"}}, "u-1 u-2 "},
		{"no longer", []event{{0, fresh, "u-1"}, {time.Hour + 1, fresh, "u-2"}}, "u-2 "},
		{"another answer keeps a profile longer", []event{{0, fresh, "u-1"}, {time.Hour, fresh, "u-1"}, {time.Hour, fresh, "u-2"}}, "u-1 u-2 "},
		{"use as a fallback does not keep a profile longer", []event{{0, fresh, "u-1"}, {time.Hour, fallback, "u-1"}, {1, fresh, "u-2"}}, "u-2 "},
		{"NOT_FOUND drops a profile", []event{{0, fresh, "u-1"}, {0, asking{answer: says(codes.NotFound)}, "u-1"}}, ""},
		{"other errors do not", []event{{0, fresh, "u-1"}, {0, asking{answer: says(codes.Unavailable)}, "u-1"}}, "u-1 "},
	} {
		p := newTestProfiles(t, 2)
		now := time.Now()
		p.now = func() time.Time { return now }
		for _, e := range c.events {
			now = now.Add(e.after)
			_, _ = buyers{e.answer, p}.name(t.Context(), t.Context(), e.user)
		}
		known := ""
		for _, id := range []string{"u-1", "u-2", "u-3"} {
			if got, err := p.fallback(t.Context(), &userv1.GetUserRequest{UserId: id}, nil); err == nil {
				known += got.GetUser().GetUserId() + " "
			}
		}
		if known != c.known {
			t.Errorf("%s: remembered users %q, want %q", c.sentence, known, c.known)
		}
	}
}
