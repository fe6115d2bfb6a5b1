package user

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io/fs"
	"net/url"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/jackc/pgx/v5"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/governance"
	"github.com/grpc-sandbox/sandbox/services/postgres/pgtest"
	"github.com/grpc-sandbox/sandbox/services/user/userv1"
)

// as returns the context of a call made by a service account.
func as(ctx context.Context, account string) context.Context {
	id := &url.URL{Scheme: "spiffe", Host: "sandbox.local", Path: "/ns/shop/sa/" + account}
	return peer.NewContext(ctx, &peer.Peer{AuthInfo: credentials.TLSInfo{State: tls.ConnectionState{PeerCertificates: []*x509.Certificate{{URIs: []*url.URL{id}}}}}})
}

// TestCreateUser_KeyOfCaller starts with the schema of an earlier version that has a user.
func TestCreateUser_KeyOfCaller(t *testing.T) {
	server := pgtest.Shared(t)
	cfg := server.Config(t, server.Database(t), "userservice", "users")
	cfg.Migrations = earlier(t, "1_users.sql", "2_chat.sql", "3_pruned.sql")
	before := pgtest.Open(t, cfg)
	pgtest.Eventually(t, "the earlier schema is ready", before.Ready)
	ada := &userv1.CreateUserRequest{Name: "Ada", Email: "ada@example.org", Age: 36, IdempotencyKey: "old"}
	digest, err := digestOf(ada)
	if err != nil {
		t.Fatal(err)
	}
	err = before.Conn(t.Context(), func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, "INSERT INTO users (number, name, email, age, idempotency_key, request_digest) VALUES (5000, 'Ada', 'ada@example.org', 36, 'old', $1)", digest)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	cfg.Migrations = Migrations()
	db := pgtest.Open(t, cfg)
	pgtest.Eventually(t, "the schema is ready", db.Ready)
	s := Service{store: &store{db}}
	for _, account := range []string{"loadgen", "gateway"} {
		got, err := s.CreateUser(as(t.Context(), account), ada)
		if err != nil || got.GetUser().GetUserId() != "u-5000" {
			t.Errorf("%s, a key of an earlier version: %v, %v", account, got, err)
		}
	}
	ids := map[string]string{}
	for range 2 {
		for _, account := range []string{"loadgen", "gateway"} {
			got, err := s.CreateUser(as(t.Context(), account), &userv1.CreateUserRequest{Name: "Bob", Email: account + "@example.org", Age: 40, IdempotencyKey: "k"})
			if err != nil || ids[account] != "" && ids[account] != got.GetUser().GetUserId() {
				t.Errorf("%s: %v, %v", account, got, err)
			}
			ids[account] = got.GetUser().GetUserId()
		}
	}
	if ids["loadgen"] == ids["gateway"] {
		t.Error("two callers share a user by one key")
	}
}

// earlier returns the first migrations.
func earlier(t *testing.T, names ...string) fstest.MapFS {
	t.Helper()
	some := fstest.MapFS{}
	for _, name := range names {
		text, err := fs.ReadFile(Migrations(), name)
		if err != nil {
			t.Fatal(err)
		}
		some[name] = &fstest.MapFile{Data: text}
	}
	return some
}

// TestService_UnstorableText checks that each method and the chat reject text that PostgreSQL cannot store, name the field, and do not open a
// breaker.
func TestService_UnstorableText(t *testing.T) {
	server := pgtest.Shared(t)
	_, program := replica(t, server, server.Database(t))
	breakers := governance.NewBreakers("caller", governance.BreakerConfig{MinCalls: 5}, nil, nil)
	conn, err := governance.Dial("passthrough:///"+program.Address, governance.ClientConfig{Callee: "userservice", Breakers: breakers})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	client := userv1.NewUserServiceClient(conn)
	chat := func(messages ...*userv1.ChatMessage) error {
		stream, err := client.Chat(t.Context())
		for _, m := range messages {
			if err == nil {
				err = stream.Send(m)
			}
		}
		for err == nil {
			_, err = stream.Recv()
		}
		return err
	}
	for range 10 {
		for want, call := range map[string]func() error{
			"user_id": func() error {
				_, err := client.GetUser(t.Context(), &userv1.GetUserRequest{UserId: "u-1\x00"})
				return err
			},
			"name": func() error {
				_, err := client.CreateUser(t.Context(), &userv1.CreateUserRequest{Name: "A\x00", Email: "a@example.org", Age: 1})
				return err
			},
			"idempotency_key": func() error {
				_, err := client.CreateUser(t.Context(), &userv1.CreateUserRequest{Name: "A", Email: "a@example.org", Age: 1, IdempotencyKey: "\x00"})
				return err
			},
			"room": func() error { return chat(&userv1.ChatMessage{UserId: "u-1", Room: "r\x00"}) },
			"text": func() error { return chat(joining("u-1", "r", 0), &userv1.ChatMessage{Text: "a\x00b"}) },
			"key":  func() error { return chat(joining("u-1", "r", 0), &userv1.ChatMessage{Text: "a", Key: "\x00"}) },
		} {
			if err := call(); status.Code(err) != codes.InvalidArgument || !strings.HasPrefix(status.Convert(err).Message(), want+": ") {
				t.Errorf("%s: %v", want, err)
			}
		}
	}
	for _, b := range breakers.Snapshot() {
		if b.State != governance.StateClosed {
			t.Error("bad input opened a breaker:", fmt.Sprint(b))
		}
	}
}
