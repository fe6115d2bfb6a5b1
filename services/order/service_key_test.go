package order

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"io/fs"
	"net/url"
	"testing"
	"testing/fstest"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
	"github.com/grpc-sandbox/sandbox/services/inventory"
	"github.com/grpc-sandbox/sandbox/services/order/orderv1"
	"github.com/grpc-sandbox/sandbox/services/postgres/pgtest"
)

// as returns the context of a call made by a service account.
func as(ctx context.Context, account string) context.Context {
	id := &url.URL{Scheme: "spiffe", Host: "sandbox.local", Path: "/ns/shop/sa/" + account}
	return peer.NewContext(ctx, &peer.Peer{AuthInfo: credentials.TLSInfo{State: tls.ConnectionState{PeerCertificates: []*x509.Certificate{{URIs: []*url.URL{id}}}}}})
}

// TestCreateOrder_RepeatedWithOthersDown repeats finished orders on a replica that does not know their user, with all other services down.
func TestCreateOrder_RepeatedWithOthersDown(t *testing.T) {
	t.Parallel()
	server := pgtest.Shared(t)
	s := openShop(t, server, server.Database(t))
	client, other := s.serve(t), s.serve(t)
	sold, refused := request("sold", "sku-2", 3), request("refused", "sku-100", 101)
	first, err := client.CreateOrder(t.Context(), sold)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.CreateOrder(t.Context(), refused); refusal.Reason(err) != inventory.ReasonOutOfStock {
		t.Fatal(err)
	}
	for _, stop := range s.stop {
		stop()
	}
	repeated, err := other.CreateOrder(t.Context(), sold)
	if err != nil || !proto.Equal(repeated, first) {
		t.Errorf("repeating the confirmed order: %v, %v; want %v", repeated, err, first)
	}
	if _, err := other.CreateOrder(t.Context(), refused); refusal.Reason(err) != inventory.ReasonOutOfStock {
		t.Errorf("repeating the refused order: %v", err)
	}
	if _, err := other.CreateOrder(t.Context(), request("sold", "sku-2", 4)); status.Code(err) != codes.InvalidArgument {
		t.Errorf("the same key with another request: %v", err)
	}
	if _, err := other.CreateOrder(t.Context(), request("new", "sku-2", 1)); status.Code(err) != codes.Unavailable {
		t.Errorf("a new order: %v", err)
	} else if _, ok := refusal.RetryDelay(err); !ok {
		t.Errorf("a new order is refused without RetryInfo: %v", err)
	}
}

// TestCreateOrder_SameKeyOfAnotherUser checks that a key belongs to a user.
func TestCreateOrder_SameKeyOfAnotherUser(t *testing.T) {
	t.Parallel()
	server := pgtest.Shared(t)
	client := openShop(t, server, server.Database(t)).serve(t)
	ids := map[string]bool{}
	for _, user := range []string{"u-1", "u-2", "u-1", "u-2"} {
		r := request("k", "sku-2", 1)
		r.UserId = user
		got, err := client.CreateOrder(t.Context(), r)
		if err != nil || got.GetOrder().GetUserId() != user {
			t.Fatalf("%s got %v, %v", user, got, err)
		}
		ids[got.GetOrder().GetOrderId()] = true
	}
	if len(ids) != 2 {
		t.Errorf("two users with one key, each twice: %d orders", len(ids))
	}
	settled(t, client)
}

// TestBegin_KeyOfCaller checks that a key belongs to the verified identity of its caller.
func TestBegin_KeyOfCaller(t *testing.T) {
	t.Parallel()
	server := pgtest.Shared(t)
	s := shop{server: server, database: server.Database(t)}
	db := pgtest.Open(t, s.orders(t))
	pgtest.Eventually(t, "the database is ready", db.Ready)
	st := &store{db: db, lease: testLease}
	order := func(account string) *order {
		t.Helper()
		n, err := newOrderOf(as(t.Context(), account), request("k", "sku-2", 1))
		if err != nil {
			t.Fatal(err)
		}
		o, err := st.lookup(t.Context(), n)
		if err == nil && o == nil {
			o, err = st.begin(t.Context(), n)
		}
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	loadgen, gateway := order("loadgen"), order("gateway")
	if loadgen.id == gateway.id {
		t.Error("two callers share an order")
	}
	if order("loadgen").id != loadgen.id || order("gateway").id != gateway.id {
		t.Error("a repeated key did not find the order")
	}
}

// TestCreateOrder_KeyOfEarlierVersion checks that orders from before keys had callers are still found.
func TestCreateOrder_KeyOfEarlierVersion(t *testing.T) {
	t.Parallel()
	server := pgtest.Shared(t)
	s := openShop(t, server, server.Database(t))
	text, err := fs.ReadFile(Migrations(), "1_orders.sql")
	if err != nil {
		t.Fatal(err)
	}
	earlier := s.orders(t)
	earlier.Migrations = fstest.MapFS{"1_orders.sql": {Data: text}}
	pgtest.Eventually(t, "the earlier schema is ready", pgtest.Open(t, earlier).Ready)
	n, err := newOrderOf(t.Context(), request("k", "sku-2", 1))
	if err != nil {
		t.Fatal(err)
	}
	db := pgtest.Open(t, earlier)
	pgtest.Eventually(t, "ready", db.Ready)
	s.sql(t, "INSERT INTO orders (order_id, user_id, user_name, lines, state, idempotency_key, request_digest, owner, lease) VALUES ('o-old', 'u-42', 'Alan', '[]', 'confirmed', 'k', decode('"+
		hex.EncodeToString(n.digest)+"', 'hex'), 'x', now())")
	client := s.serve(t)
	got, err := client.CreateOrder(t.Context(), request("k", "sku-2", 1))
	if err != nil || got.GetOrder().GetOrderId() != "o-old" {
		t.Errorf("the key, in plaintext: %v, %v", got, err)
	}
	n.caller = "spiffe://sandbox.local/ns/shop/sa/loadgen"
	st := &store{db: db, lease: testLease}
	if o, err := st.lookup(t.Context(), n); err != nil || o == nil || o.id != "o-old" {
		t.Errorf("the key, of a verified caller: %v, %v", o, err)
	}
	other := request("k", "sku-2", 1)
	other.UserId = "u-43"
	if got, err := client.CreateOrder(t.Context(), other); err != nil || got.GetOrder().GetOrderId() == "o-old" {
		t.Errorf("the key, of another user: %v, %v", got, err)
	}
}

// TestCreateOrder_DatabaseReadOnly simulates a failover: connections break, and the new server refuses writes for a while.
func TestCreateOrder_DatabaseReadOnly(t *testing.T) {
	t.Parallel()
	server := pgtest.Shared(t)
	s := openShop(t, server, server.Database(t))
	client := s.serve(t)
	failover := func(readOnly string) {
		s.sql(t, "SET TRANSACTION READ WRITE; ALTER ROLE orders IN DATABASE "+s.database+" SET default_transaction_read_only = "+readOnly)
		s.sql(t, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'orders' AND datname = current_database() AND pid <> pg_backend_pid()")
	}
	failover("on")
	pgtest.Eventually(t, "writes are refused", func() bool {
		_, err := client.CreateOrder(t.Context(), request("k", "sku-2", 1))
		if _, ok := refusal.RetryDelay(err); status.Code(err) != codes.Unavailable || !ok {
			t.Errorf("during a failover: %v", err)
			return true
		}
		return refusal.Reason(err) == "DATABASE_READ_ONLY"
	})
	failover("off")
	pgtest.Succeeds(t, "orders succeed again", func(ctx context.Context) error {
		_, err := client.CreateOrder(ctx, request("k", "sku-2", 1))
		return err
	})
	settled(t, client)
}

// TestService_UnstorableText checks that each method rejects text that PostgreSQL cannot store, and names the field.
func TestService_UnstorableText(t *testing.T) {
	t.Parallel()
	server := pgtest.Shared(t)
	client := openShop(t, server, server.Database(t)).serve(t)
	bad := request("k\x00", "sku-2", 1)
	for field, call := range map[string]func() error{
		"idempotency_key: ": func() error { _, err := client.CreateOrder(t.Context(), bad); return err },
		"lines[0].sku: ":    func() error { _, err := client.CreateOrder(t.Context(), request("k", "sku\x00", 1)); return err },
		"order_id: ": func() error {
			_, err := client.GetOrder(t.Context(), &orderv1.GetOrderRequest{OrderId: "o\x00"})
			return err
		},
		"user_id: ": func() error {
			_, err := client.ListOrders(t.Context(), &orderv1.ListOrdersRequest{UserId: "u\x00"})
			return err
		},
	} {
		if err := call(); status.Code(err) != codes.InvalidArgument || status.Convert(err).Message()[:len(field)] != field {
			t.Errorf("%s%v", field, err)
		}
	}
}
