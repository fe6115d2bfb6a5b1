package rest

import (
	"context"
	"encoding/json"
	"flag"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/grpc-sandbox/sandbox/services/order/orderv1"
	"github.com/grpc-sandbox/sandbox/services/user/userv1"
)

var update = flag.Bool("update", false, "rewrite the golden files and the tables of README.md")

// shop has all services with routes. It records the last call.
type shop struct {
	userv1.UnimplementedUserServiceServer
	orderv1.UnimplementedOrderServiceServer

	// err, if it is set, is the answer to every call.
	err func() error

	mu       sync.Mutex
	calls    int
	method   string
	metadata metadata.MD
	left     time.Duration
	request  proto.Message
}

func (s *shop) record(ctx context.Context, request proto.Message) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	s.method, _ = grpc.Method(ctx)
	s.metadata, _ = metadata.FromIncomingContext(ctx)
	s.left = 0
	if deadline, ok := ctx.Deadline(); ok {
		s.left = time.Until(deadline)
	}
	s.request = request
	_ = grpc.SetHeader(ctx, metadata.Pairs("x-serving-pod", "user-1", "x-fallback", "remembered", "set-cookie", "a=b"))
	_ = grpc.SetTrailer(ctx, metadata.Pairs("x-serving-pod", "user-1", "grpc-retry-pushback-ms", "1"))
	if s.err != nil {
		return s.err()
	}
	return nil
}

func (s *shop) GetUser(ctx context.Context, r *userv1.GetUserRequest) (*userv1.GetUserResponse, error) {
	return &userv1.GetUserResponse{User: &userv1.User{UserId: r.GetUserId(), Name: "Ada Lovelace"}}, s.record(ctx, r)
}

func (s *shop) CreateUser(ctx context.Context, r *userv1.CreateUserRequest) (*userv1.CreateUserResponse, error) {
	return &userv1.CreateUserResponse{User: &userv1.User{UserId: "u-1001", Name: r.GetName(), Email: r.GetEmail(), Age: r.GetAge()}}, s.record(ctx, r)
}

func (s *shop) CreateOrder(ctx context.Context, r *orderv1.CreateOrderRequest) (*orderv1.CreateOrderResponse, error) {
	order := &orderv1.Order{OrderId: "o-1", UserId: r.GetUserId(), Lines: r.GetLines(), TotalCents: 1<<62 + 1, State: orderv1.OrderState_ORDER_STATE_CONFIRMED}
	return &orderv1.CreateOrderResponse{Order: order}, s.record(ctx, r)
}

func (s *shop) GetOrder(ctx context.Context, r *orderv1.GetOrderRequest) (*orderv1.GetOrderResponse, error) {
	return &orderv1.GetOrderResponse{Order: &orderv1.Order{OrderId: r.GetOrderId()}}, s.record(ctx, r)
}

func (s *shop) ListOrders(ctx context.Context, r *orderv1.ListOrdersRequest) (*orderv1.ListOrdersResponse, error) {
	return &orderv1.ListOrdersResponse{NextPageToken: "next"}, s.record(ctx, r)
}

// last returns the request of the last call in JSON, after its method.
func (s *shop) last(t testing.TB) string {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.request == nil {
		return ""
	}
	text, err := protojson.Marshal(s.request)
	must(t, err)
	return s.method + " " + compact(text)
}

func (s *shop) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls
}

// serve starts the shop and returns a handler that calls it.
func (s *shop) serve(t testing.TB, change ...func(*Config)) http.Handler {
	t.Helper()
	pipe, server := bufconn.Listen(1<<20), grpc.NewServer()
	userv1.RegisterUserServiceServer(server, s)
	orderv1.RegisterOrderServiceServer(server, s)
	done := make(chan error, 1)
	go func() { done <- server.Serve(pipe) }()
	connection, err := grpc.NewClient("passthrough:shop", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return pipe.DialContext(ctx) }))
	must(t, err)
	t.Cleanup(func() {
		_ = connection.Close()
		server.Stop()
		must(t, <-done)
	})
	cfg := Config{Connection: func(string) grpc.ClientConnInterface { return connection }, Log: slog.New(slog.DiscardHandler)}
	for _, f := range change {
		f(&cfg)
	}
	h, err := New(cfg)
	must(t, err)
	return h
}

// request makes a request with pairs of header and value. A body makes it application/json, unless a header says otherwise.
func request(method, target, body string, headers ...string) *http.Request {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Content-Type" {
			r.Header.Del("Content-Type")
		}
		r.Header.Add(headers[i], headers[i+1])
	}
	return r
}

func send(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// problemOf reads the problem of an answer, and fails unless it is one in every respect.
func problemOf(t testing.TB, w *httptest.ResponseRecorder) problem {
	t.Helper()
	if got := w.Header().Get("Content-Type"); got != "application/problem+json" {
		t.Fatalf("the answer has the media type %q, the status %d and the body\n%s", got, w.Code, w.Body)
	}
	var p problem
	decoder := json.NewDecoder(strings.NewReader(w.Body.String()))
	decoder.DisallowUnknownFields()
	must(t, decoder.Decode(&p))
	if _, err := decoder.Token(); err != io.EOF {
		t.Errorf("the problem is followed by more: %s", w.Body)
	}
	if p.Type != "about:blank" || p.Title == "" || p.Status != w.Code || p.Code == "" || p.Status < 400 {
		t.Errorf("the status is %d, and the problem is not complete: %s", w.Code, w.Body)
	}
	if id := w.Header().Get("X-Request-Id"); id != p.RequestID {
		t.Errorf("the request id is %q in the header and %q in the body", id, p.RequestID)
	}
	return p
}

// golden compares a text with a file in testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		must(t, os.MkdirAll("testdata", 0o755))
		must(t, os.WriteFile(file, []byte(got), 0o600))
	}
	want, err := os.ReadFile(file)
	must(t, err)
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
