package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox/fixture"
	"github.com/grpc-sandbox/sandbox/sandbox/live"
	"github.com/grpc-sandbox/sandbox/sandbox/live/catalog"
	"github.com/grpc-sandbox/sandbox/services/contracts"
	"github.com/grpc-sandbox/sandbox/services/contracts/contracttest"
	"github.com/grpc-sandbox/sandbox/services/contracts/verify"
	"github.com/grpc-sandbox/sandbox/services/inventory/inventoryv1"
	"github.com/grpc-sandbox/sandbox/services/order/orderv1"
	"github.com/grpc-sandbox/sandbox/services/user/userv1"
)

// shelf is an InventoryService that records the state of each reservation.
type shelf struct {
	inventoryv1.UnimplementedInventoryServiceServer
	states map[string]inventoryv1.ReservationState
	// broken makes Reserve return no prices.
	broken bool
}

func (s *shelf) Reserve(_ context.Context, r *inventoryv1.ReserveRequest) (*inventoryv1.ReserveResponse, error) {
	if s.states[r.GetOrderId()] == 0 {
		s.states[r.GetOrderId()] = inventoryv1.ReservationState_RESERVATION_STATE_RESERVED
	}
	if s.broken {
		return &inventoryv1.ReserveResponse{}, nil
	}
	return &inventoryv1.ReserveResponse{TotalCents: 600}, nil
}

func (s *shelf) Commit(_ context.Context, r *inventoryv1.CommitRequest) (*inventoryv1.CommitResponse, error) {
	s.states[r.GetOrderId()] = inventoryv1.ReservationState_RESERVATION_STATE_COMMITTED
	return &inventoryv1.CommitResponse{}, nil
}

func (s *shelf) Release(_ context.Context, r *inventoryv1.ReleaseRequest) (*inventoryv1.ReleaseResponse, error) {
	s.states[r.GetOrderId()] = inventoryv1.ReservationState_RESERVATION_STATE_RELEASED
	return &inventoryv1.ReleaseResponse{}, nil
}

func (s *shelf) ListReservations(_ *inventoryv1.ListReservationsRequest, stream grpc.ServerStreamingServer[inventoryv1.Reservation]) error {
	for id, state := range s.states {
		if err := stream.Send(&inventoryv1.Reservation{OrderId: id, State: state}); err != nil {
			return err
		}
	}
	return nil
}

// seller is an OrderService that has sold one order.
type seller struct {
	orderv1.UnimplementedOrderServiceServer
}

func (seller) CreateOrder(context.Context, *orderv1.CreateOrderRequest) (*orderv1.CreateOrderResponse, error) {
	return &orderv1.CreateOrderResponse{Order: &orderv1.Order{OrderId: "o-sold"}}, nil
}

// stage is a shop in memory that records its connections.
type stage struct {
	shelf *shelf
	conns map[string]grpc.ClientConnInterface
	calls []string
}

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{shelf: &shelf{states: map[string]inventoryv1.ReservationState{}}, conns: map[string]grpc.ClientConnInterface{}}
	for name, register := range map[string]func(*grpc.Server){
		"userservice":      func(g *grpc.Server) { userv1.RegisterUserServiceServer(g, people{}) },
		"inventoryservice": func(g *grpc.Server) { inventoryv1.RegisterInventoryServiceServer(g, s.shelf) },
		"orderservice":     func(g *grpc.Server) { orderv1.RegisterOrderServiceServer(g, seller{}) },
	} {
		s.conns[name], _ = contracttest.Serve(t, func(g *grpc.Server) {
			register(g)
			reflection.Register(g)
		})
	}
	return s
}

func (s *stage) dial(_ context.Context, consumer, provider string) (grpc.ClientConnInterface, error) {
	s.calls = append(s.calls, consumer+" to "+provider)
	if s.conns[provider] == nil {
		return nil, remedy.New("finding a pod of "+provider+": none of 1 is ready", remedy.Command("status"))
	}
	return s.conns[provider], nil
}

// interactions returns interactions that the stage satisfies.
func interactions() verify.Selection {
	const users, stock = "user.v1.UserService/", "inventory.v1.InventoryService/"
	reserved := []contracts.Move{contracts.Sent(&inventoryv1.ReserveRequest{OrderId: "o-1"}), contracts.Received(&inventoryv1.ReserveResponse{TotalCents: 600})}
	commit := []contracts.Move{contracts.Sent(&inventoryv1.CommitRequest{OrderId: "o-1"}), contracts.Received(&inventoryv1.CommitResponse{})}
	return verify.Selection{
		Contracts: []contracts.Contract{
			{Consumer: "cli", Provider: "userservice", Interactions: []contracts.Interaction{
				{Name: "a user", Method: users + "GetUser", Code: "OK", Script: []contracts.Move{contracts.Sent(&userv1.GetUserRequest{UserId: "u-1"}),
					contracts.Received(&userv1.GetUserResponse{User: &userv1.User{Name: "Ada"}})}},
				{Name: "nobody", Method: users + "GetUser", Code: "NOT_FOUND", Script: []contracts.Move{contracts.Sent(&userv1.GetUserRequest{UserId: "u-2"})}},
			}},
			{Consumer: "orderservice", Provider: "inventoryservice", Fresh: map[string]string{"order": "o-1"}, Interactions: []contracts.Interaction{
				{Name: "reserve", Method: stock + "Reserve", Code: "OK", Script: reserved},
				{Name: "commit", State: "the order is reserved", Method: stock + "Commit", Code: "OK", Script: commit},
				{Name: "commit again", State: "the order is sold", Method: stock + "Commit", Code: "OK", Script: commit},
			}},
		},
		Providers: []verify.Provider{provider("userservice"), provider("inventoryservice")},
	}
}

func provider(name string) verify.Provider {
	all := catalog.Providers()
	return all[slices.IndexFunc(all, func(p verify.Provider) bool { return p.Name == name })]
}

func printed(t *testing.T, doc *verify.Document, asJSON bool) string {
	t.Helper()
	var out strings.Builder
	if err := writeVerified(&out, doc, asJSON); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestVerify_Pass(t *testing.T) {
	s := newStage(t)
	v := verify.New("run", live.Account, s.dial)
	doc, err := v.Verify(t.Context(), interactions())
	if err != nil || verdict(doc) != nil || doc.Result != "pass" {
		t.Fatal(err, doc)
	}
	const want = `CONSUMER      PROVIDER          INTERACTION   VERDICT  WHY
cli           userservice       a user        ✓ pass   
cli           userservice       nobody        ✓ pass   
orderservice  inventoryservice  reserve       ✓ pass   
orderservice  inventoryservice  commit        - skip   it would sell stock without an order, which cannot be undone
orderservice  inventoryservice  commit again  ✓ pass   
the tree      userservice       descriptors   ✓ pass   
the tree      inventoryservice  descriptors   ✓ pass   
`
	if diff := cmp.Diff(want, printed(t, doc, false)); diff != "" {
		t.Errorf("the table (-want +got)\n%s", diff)
	}
	// Each consumer connects once to each of its providers.
	if want := []string{"cli to userservice", "cli to inventoryservice", "orderservice to inventoryservice", "cli to orderservice"}; !slices.Equal(s.calls, want) {
		t.Errorf("got %q, want %q", s.calls, want)
	}
	if s.shelf.states["o-sold"] != inventoryv1.ReservationState_RESERVATION_STATE_COMMITTED || len(s.shelf.states) != 2 {
		t.Errorf("the shelf has %v", s.shelf.states)
	}
	interrupted, cancel := context.WithCancel(t.Context())
	cancel()
	if err := v.CleanUp(interrupted); err != nil {
		t.Error(err)
	}
	for id, state := range s.shelf.states {
		if id != "o-sold" && state != inventoryv1.ReservationState_RESERVATION_STATE_RELEASED {
			t.Errorf("%s is left %s", id, state)
		}
	}
}

func TestVerify_Fail(t *testing.T) {
	s := newStage(t)
	s.shelf.broken = true
	chosen := interactions()
	// The services were deployed from another version of the protos.
	chosen.Providers[0].Services = []protoreflect.ServiceDescriptor{orderv1.File_order_v1_order_proto.Services().Get(0)}
	doc, err := verify.New("run", live.Account, s.dial).Verify(t.Context(), chosen)
	if err != nil || doc.Result != "fail" {
		t.Fatal(err, doc)
	}
	var coded *codedError
	if err := verdict(doc); !errors.As(err, &coded) || coded.code != exitNotHeld {
		t.Errorf("the verdict is %v", err)
	} else {
		fixture.WantError(t, err, `inventoryservice breaks what orderservice expects in "reserve": totalCents: is 0, want 600`,
			"userservice is not what the tree describes: order.v1.OrderService: is not deployed", "\ntry: ")
	}
	table := printed(t, doc, false)
	for _, want := range []string{
		"orderservice  inventoryservice  reserve       ✗ fail   totalCents: is 0, want 600\n",
		"the tree      userservice       descriptors   ✗ fail   order.v1.OrderService: is not deployed\n" +
			"                                                       also deployed: user.v1.UserService\n",
	} {
		if !strings.Contains(table, want) {
			t.Errorf("the table lacks\n%sin\n%s", want, table)
		}
	}
	var got map[string]any
	if err := json.Unmarshal([]byte(printed(t, doc, true)), &got); err != nil {
		t.Fatal(err)
	}
	row := map[string]any{"consumer": "orderservice", "provider": "inventoryservice", "interaction": "reserve", "method": "inventory.v1.InventoryService/Reserve",
		"result": "fail", "why": "", "problems": []any{map[string]any{"field": "totalCents", "problem": "is 0, want 600"}}}
	descriptors := map[string]any{"provider": "userservice", "result": "fail", "more": []any{"user.v1.UserService"},
		"problems": []any{map[string]any{"field": "order.v1.OrderService", "problem": "is not deployed"}}}
	if diff := cmp.Diff([]any{"fail", row, descriptors}, []any{got["result"], got["interactions"].([]any)[2], got["descriptors"].([]any)[0]}); diff != "" {
		t.Errorf("the document (-want +got)\n%s", diff)
	}
}

// TestVerify_NoVerdict checks that there is no verdict if a provider cannot be reached or the run was interrupted.
func TestVerify_NoVerdict(t *testing.T) {
	for _, c := range []struct {
		sentence string
		spoil    func(*stage, context.CancelFunc)
		want     string
	}{
		{"no pod is ready", func(s *stage, _ context.CancelFunc) { delete(s.conns, "inventoryservice") }, "finding a pod of inventoryservice: none of 1 is ready\ntry: sandbox status"},
		{"a pod does not answer", func(s *stage, _ context.CancelFunc) { s.conns["inventoryservice"] = silence{codes.Unavailable} },
			"asking inventoryservice what it serves: gone\ntry: sandbox status"},
		{"an interruption", func(_ *stage, cancel context.CancelFunc) { cancel() }, "canceled"},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			s := newStage(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			c.spoil(s, cancel)
			v := verify.New("run", live.Account, s.dial)
			doc, err := v.Verify(ctx, interactions())
			var coded *codedError
			if doc != nil || errors.As(err, &coded) || len(s.shelf.states) > 0 {
				t.Errorf("it has a verdict: %v, %v, and the shelf has %v", doc, err, s.shelf.states)
			}
			fixture.WantError(t, err, c.want)
		})
	}
}

// TestVerify_ServerWithoutReflection checks that interactions are still replayed and that the missing descriptors are reported as a problem.
func TestVerify_ServerWithoutReflection(t *testing.T) {
	s := newStage(t)
	s.conns["userservice"], _ = contracttest.Serve(t, func(g *grpc.Server) { userv1.RegisterUserServiceServer(g, people{}) })
	doc, err := verify.New("run", live.Account, s.dial).Verify(t.Context(), interactions())
	if err != nil || doc.Descriptors[0].Result != "fail" || doc.Interactions[0].Result != "pass" {
		t.Fatal(err, doc)
	}
	fixture.WantError(t, verdict(doc), "userservice is not what the tree describes: asked for its descriptors, it answers ", "Unimplemented")
}

func TestVerify_CleansUpAfterAKilledRun(t *testing.T) {
	s := newStage(t)
	const reserved, released = inventoryv1.ReservationState_RESERVATION_STATE_RESERVED, inventoryv1.ReservationState_RESERVATION_STATE_RELEASED
	s.shelf.states["contract-killed-1"], s.shelf.states["contract-other-1"] = reserved, reserved
	journal := verify.Journal{Dir: t.TempDir()}
	fixture.Write(t, filepath.Join(journal.Dir, "killed"), "", 0o600)
	var errs strings.Builder
	v := verification{verifier: verify.New("run", live.Account, s.dial), journal: journal, all: interactions().Contracts}
	if err := v.cleanUpKilled(t.Context(), process{stderr: &errs}, &globals{}); err != nil {
		t.Fatal(err)
	}
	if s.shelf.states["contract-killed-1"] != released || s.shelf.states["contract-other-1"] != reserved || errs.String() != "cleaned up after a killed verify\n" {
		t.Errorf("the shelf has %v; it printed %q", s.shelf.states, errs.String())
	}
	if left, err := os.ReadDir(journal.Dir); err != nil || len(left) > 0 {
		t.Errorf("still recorded: %v, %v", left, err)
	}
}

// silence is a connection whose calls all fail.
type silence struct{ code codes.Code }

func (s silence) Invoke(context.Context, string, any, any, ...grpc.CallOption) error {
	return status.Error(s.code, "gone")
}

func (s silence) NewStream(context.Context, *grpc.StreamDesc, string, ...grpc.CallOption) (grpc.ClientStream, error) {
	return nil, status.Error(s.code, "gone")
}
