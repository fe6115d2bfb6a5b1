package hub

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/grpc-sandbox/sandbox/services/control/controlv1"
	"github.com/grpc-sandbox/sandbox/services/control/telemetryv1"
)

var users = Source{Namespace: "shop", Pod: "users-1", Service: "users"}

func event(seq uint64, kind string) *telemetryv1.Event {
	return &telemetryv1.Event{Seq: seq, Boot: "boot", Kind: kind, Time: timestamppb.New(time.Unix(int64(seq), 0)), Subject: fmt.Sprint(seq)}
}

// watching is a stream of events that a test reads; a send blocks until the test reads.
type watching struct {
	grpc.ServerStream
	ctx  context.Context
	sent chan *telemetryv1.Event
}

func (w *watching) Context() context.Context   { return w.ctx }
func (*watching) SendHeader(metadata.MD) error { return nil }
func (w *watching) Send(e *telemetryv1.Event) error {
	select {
	case w.sent <- e:
		return nil
	case <-w.ctx.Done():
		return w.ctx.Err()
	}
}

// watch returns what a watcher gets now, as kind and subject, and the error with which the stream ended; nil if it had to be ended.
func watch(t *testing.T, h *Hub, r *telemetryv1.WatchRequest) (got []string, last *telemetryv1.Event, ended error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	w := &watching{ctx: ctx, sent: make(chan *telemetryv1.Event, 10_000)}
	done := make(chan error, 1)
	go func() { done <- Watcher{Hub: h}.Watch(r, w) }()
	synctest.Wait()
	select {
	case ended = <-done:
	default:
		cancel()
		if err := <-done; status.Code(err) != codes.Canceled {
			t.Errorf("the stream ended with %v", err)
		}
	}
	for len(w.sent) > 0 {
		last = <-w.sent
		got = append(got, last.GetKind()+" "+last.GetSubject())
	}
	return got, last, ended
}

func TestWatch_ResumesAfterAPosition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := New(100)
		for n := range uint64(4) {
			h.Report(users, event(n+1, []string{"breaker", "policy"}[n%2]))
		}
		for _, c := range []struct {
			sentence string
			request  *telemetryv1.WatchRequest
			want     []string
		}{
			{"without a position, only what comes", &telemetryv1.WatchRequest{}, nil},
			{"from the oldest", &telemetryv1.WatchRequest{FromOldest: true}, []string{"breaker 1", "policy 2", "breaker 3", "policy 4"}},
			{"one kind", &telemetryv1.WatchRequest{FromOldest: true, Kinds: []string{"policy"}}, []string{"policy 2", "policy 4"}},
			{"after a position of this run", &telemetryv1.WatchRequest{After: 3, Run: h.Run()}, []string{"policy 4"}},
			{"after a position of another run", &telemetryv1.WatchRequest{After: 3, Run: "another"}, []string{"breaker 1", "policy 2", "breaker 3", "policy 4"}},
		} {
			if got, _, ended := watch(t, h, c.request); ended != nil || !cmp.Equal(got, c.want) {
				t.Errorf("%s: %q, %v; want %q", c.sentence, got, ended, c.want)
			}
		}
		if _, _, ended := watch(t, h, &telemetryv1.WatchRequest{After: 9, Run: h.Run()}); status.Code(ended) != codes.OutOfRange {
			t.Errorf("a position in the future: %v", ended)
		}
	})
}

func TestWatch_GapsAreEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := New(4)
		h.Report(users, event(1, "breaker"))
		// Received twice, because the connection was lost before the process knew.
		h.Report(users, event(1, "breaker"))
		h.Report(users, event(5, "breaker"))
		got, _, _ := watch(t, h, &telemetryv1.WatchRequest{FromOldest: true})
		if want := []string{"breaker 1", "missed users-1", "breaker 5"}; !cmp.Equal(got, want) {
			t.Errorf("a gap in the numbers of a process: %q, want %q", got, want)
		}
		for seq := uint64(6); seq < 16; seq++ {
			h.Report(users, event(seq, "breaker"))
		}
		got, last, _ := watch(t, h, &telemetryv1.WatchRequest{After: 1, Run: h.Run()})
		if want := []string{"missed ", "breaker 12", "breaker 13", "breaker 14", "breaker 15"}; !cmp.Equal(got, want) || last.GetPosition() != 13 {
			t.Errorf("a watcher that resumes too late: %q, last position %d; want %q", got, last.GetPosition(), want)
		}
		if got := h.After(users, "boot"); got != 15 {
			t.Errorf("the last known event is %d", got)
		}
		if got := h.After(users, "another boot"); got != 0 {
			t.Errorf("the last known event of another run is %d", got)
		}
	})
}

func TestWatch_SlowWatcherIsCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := New(4)
		w := &watching{ctx: t.Context(), sent: make(chan *telemetryv1.Event)}
		done := make(chan error, 1)
		go func() { done <- Watcher{Hub: h}.Watch(&telemetryv1.WatchRequest{}, w) }()
		synctest.Wait()
		for seq := uint64(1); seq < 20; seq++ {
			h.Report(users, event(seq, "breaker"))
			synctest.Wait()
		}
		for {
			select {
			case <-w.sent:
				continue
			case err := <-done:
				if status.Code(err) != codes.ResourceExhausted || !strings.Contains(err.Error(), "resume after position") {
					t.Errorf("the stream ended with %v", err)
				}
			}
			return
		}
	})
}

func TestReport_MemoryIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := New(4)
		e := event(1, "breaker")
		e.Detail, e.Labels = strings.Repeat("é", 5000), map[string]string{}
		for n := range 100 {
			e.Labels[fmt.Sprint(n)] = strings.Repeat("x", 5000)
		}
		h.Report(users, e)
		_, got, _ := watch(t, h, &telemetryv1.WatchRequest{FromOldest: true})
		if len(got.GetDetail()) > maxText+4 || !utf8.ValidString(got.GetDetail()) || len(got.GetLabels()) != maxLabels {
			t.Errorf("%d bytes, %d labels", len(got.GetDetail()), len(got.GetLabels()))
		}
		for n := range 2 * maxKnown {
			h.Report(Source{"shop", fmt.Sprint("pod-", n), "users"}, event(1, "breaker"))
			time.Sleep(time.Second)
		}
		if len(h.known) > maxKnown+int(forgetAfter.Seconds()) {
			t.Errorf("%d runs of processes are known", len(h.known))
		}
	})
}

func TestBreakers_FollowEvents(t *testing.T) {
	h := New(0)
	breaker := func(state string, since int64) *telemetryv1.Breaker {
		return &telemetryv1.Breaker{Caller: "orders", Callee: "users", Method: "a.B/C", State: state, Since: timestamppb.New(time.Unix(since, 0))}
	}
	states := func() (all []string) {
		answer, err := Watcher{Hub: h}.Breakers(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range answer.GetBreakers() {
			all = append(all, b.GetPod()+" "+b.GetState())
		}
		return all
	}
	h.Joined(users)
	h.Breakers(users, []*telemetryv1.Breaker{breaker("closed", 1)})
	opened := event(5, "breaker")
	opened.Labels = map[string]string{"caller": "orders", "callee": "users", "method": "a.B/C", "from": "closed", "to": "open"}
	h.Report(users, opened)
	// A list that was made before the event does not undo it.
	h.Breakers(users, []*telemetryv1.Breaker{breaker("closed", 1)})
	if got := states(); !cmp.Equal(got, []string{"users-1 open"}) {
		t.Errorf("got %q", got)
	}
	// The process connects again before the end of its first connection is noticed.
	h.Joined(users)
	h.Left(users)
	if got := states(); len(got) != 1 {
		t.Errorf("with one of two connections: %q", got)
	}
	h.Left(users)
	if got := states(); got != nil {
		t.Errorf("without a connection: %q", got)
	}
}

// TestForward_StoredEventsAddNoBreaker passes on the events of a replica, which has stored those of processes that have ended.
func TestForward_StoredEventsAddNoBreaker(t *testing.T) {
	h := New(0)
	opened := event(5, "breaker")
	opened.Namespace, opened.Pod = users.Namespace, users.Pod
	opened.Labels = map[string]string{"caller": "orders", "callee": "users", "method": "a.B/C", "from": "closed", "to": "open"}
	h.Forward(opened)
	count := func() int {
		answer, err := Watcher{Hub: h}.Breakers(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		return len(answer.GetBreakers())
	}
	if got := count(); got != 0 {
		t.Errorf("%d breakers of a process that has ended", got)
	}
	// One that lives is in the list of the replica, and its events are followed.
	h.ForwardBreakers("other", []*telemetryv1.Breaker{{Namespace: users.Namespace, Pod: users.Pod, Caller: "orders", Callee: "users", Method: "a.B/C", State: "closed", Since: timestamppb.New(time.Unix(1, 0))}})
	again := proto.CloneOf(opened)
	again.Seq = 6
	h.Forward(again)
	answer, err := Watcher{Hub: h}.Breakers(t.Context(), nil)
	if err != nil || len(answer.GetBreakers()) != 1 || answer.GetBreakers()[0].GetState() != "open" {
		t.Errorf("%v, %v", answer, err)
	}
	h.ForwardBreakers("other", nil)
	if got := count(); got != 0 {
		t.Errorf("%d breakers after the replica has gone", got)
	}
}

// session is a session that a test drives.
type session struct {
	grpc.ServerStream
	ctx  context.Context
	in   chan *controlv1.ConnectRequest
	sent chan *controlv1.ConnectResponse
}

func (s *session) Context() context.Context { return s.ctx }
func (s *session) Send(m *controlv1.ConnectResponse) error {
	s.sent <- m
	return nil
}
func (s *session) Recv() (*controlv1.ConnectRequest, error) {
	select {
	case m, ok := <-s.in:
		if !ok {
			return nil, io.EOF
		}
		return m, nil
	case <-s.ctx.Done():
		return nil, s.ctx.Err()
	}
}

func TestConnect_HeartbeatsAndEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := New(0)
		h.Report(users, event(3, "breaker"))
		ctx, cancel := context.WithCancel(t.Context())
		s := &session{ctx: ctx, in: make(chan *controlv1.ConnectRequest, 10), sent: make(chan *controlv1.ConnectResponse, 100)}
		done := make(chan error, 1)
		sessions := Sessions{Hub: h, Leases: func(string) []string { return []string{"uid"} },
			Source: func(_ context.Context, pod, service string) (Source, error) { return Source{"shop", pod, service}, nil }}
		go func() { done <- sessions.Connect(s) }()
		s.in <- &controlv1.ConnectRequest{Message: &controlv1.ConnectRequest_Hello{Hello: &controlv1.Hello{Pod: "users-1", Service: "users", Boot: "boot"}}}
		if got := (<-s.sent).GetWelcome().GetAfterSeq(); got != 3 {
			t.Errorf("welcome after %d, want 3", got)
		}
		s.in <- &controlv1.ConnectRequest{Message: &controlv1.ConnectRequest_Event{Event: event(4, "breaker")}}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if got := len(s.sent); got < 5 || (<-s.sent).GetHeartbeat().GetFaults()[0] != "uid" {
			t.Errorf("%d heartbeats in 5 s", got)
		}
		if got := h.After(users, "boot"); got != 4 {
			t.Errorf("the last known event is %d", got)
		}
		close(s.in)
		if err := <-done; err != nil {
			t.Errorf("the session ended with %v", err)
		}
		cancel()
	})
}

func TestConnect_Refuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for want, first := range map[codes.Code]*controlv1.ConnectRequest{
			codes.InvalidArgument:  {Message: &controlv1.ConnectRequest_Event{Event: event(1, "breaker")}},
			codes.PermissionDenied: {Message: &controlv1.ConnectRequest_Hello{Hello: &controlv1.Hello{Pod: "another"}}},
		} {
			s := &session{ctx: t.Context(), in: make(chan *controlv1.ConnectRequest, 1), sent: make(chan *controlv1.ConnectResponse, 1)}
			s.in <- first
			err := Sessions{Hub: New(0), Source: func(context.Context, string, string) (Source, error) {
				return Source{}, status.Error(codes.PermissionDenied, "another account")
			}}.Connect(s)
			if status.Code(err) != want {
				t.Errorf("%v: %v, want %s", first, err, want)
			}
		}
	})
}
