package governance

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"

	"google.golang.org/grpc"
	testv1 "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
)

const front = "spiffe://sandbox.local/ns/shop/sa/gateway"

func TestPartner_BelievedFromGatewaysOnly(t *testing.T) {
	ca := newAuthority(t)
	self, _ := identity(t, ca.issue("callee", users), nil)
	for _, c := range []struct {
		name, caller string
		headers      []string
		want         string
	}{
		{"a gateway", front, []string{"x-partner", "acme"}, "acme"},
		{"a gateway, twice", front, []string{"x-partner", "acme", "x-partner", "globex"}, ""},
		{"a gateway, in upper case", front, []string{"X-Partner", "acme"}, "acme"},
		{"a gateway, also in binary", front, []string{"x-partner", "acme", "x-partner-bin", "globex"}, "acme"},
		{"a gateway, only in binary", front, []string{"x-partner-bin", "globex"}, ""},
		{"another service", orders, []string{"x-partner", "acme"}, ""},
		{"another service, twice", orders, []string{"x-partner", "acme", "x-partner", "acme"}, ""},
		{"another service, in upper case", orders, []string{"X-PARTNER", "acme"}, ""},
		{"another service, in binary", orders, []string{"X-Partner-Bin", "acme"}, ""},
		{"the account of the gateway in another namespace", "spiffe://sandbox.local/ns/elsewhere/sa/gateway", []string{"x-partner", "acme"}, ""},
		{"no header", front, nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			id, _ := identity(t, ca.issue("client.shop.svc", c.caller), nil)
			var log bytes.Buffer
			var seen, logged, origins []string
			look := func(ctx context.Context) {
				seen = append(seen, Partner(ctx))
				origins = append(origins, Origin(ctx))
				md, _ := metadata.FromIncomingContext(ctx)
				for key, values := range md {
					if strings.HasPrefix(strings.ToLower(key), "x-partner") {
						logged = append(logged, values...)
					}
				}
			}
			client := wireWith(t, fake{unary: func(ctx context.Context, _ *testv1.SimpleRequest) (*testv1.SimpleResponse, error) {
				look(ctx)
				return &testv1.SimpleResponse{}, nil
			}, stream: func(s grpc.BidiStreamingServer[testv1.StreamingOutputCallRequest, testv1.StreamingOutputCallResponse]) error {
				look(s.Context())
				return s.Send(&testv1.StreamingOutputCallResponse{})
			}}, ServerConfig{Identity: self, Log: NewLog(&log, slog.LevelDebug), Gateways: []string{front}},
				ClientConfig{Identity: id, Callee: "callee", ServerName: "callee", Log: quiet})
			ctx := metadata.AppendToOutgoingContext(t.Context(), c.headers...)
			_, err := client.UnaryCall(ctx, &testv1.SimpleRequest{})
			must(t, err)
			stream, err := client.FullDuplexCall(ctx)
			must(t, err)
			_, err = stream.Recv()
			must(t, err)
			// The server writes its log before it ends the stream.
			if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
				t.Fatal(err)
			}
			want, inHeaders := []string{c.want, c.want}, 2
			if c.want == "" {
				inHeaders = 0
			}
			if strings.Join(seen, ",") != strings.Join(want, ",") || len(logged) != inHeaders {
				t.Errorf("handlers see %q, and the headers %q; want %q", seen, logged, c.want)
			}
			origin := c.caller
			if c.want != "" {
				origin += "#" + c.want
			}
			if origins[0] != origin || origins[1] != origin {
				t.Errorf("origins %q, want %q", origins, origin)
			}
			if got := strings.Contains(log.String(), `"partner":"acme"`); got != (c.want != "") || strings.Contains(log.String(), "globex") {
				t.Errorf("the log has %s", log.String())
			}
		})
	}
}

func TestConfigFromEnv_Gateways(t *testing.T) {
	for text, want := range map[string]int{"": 0, front: 1, front + ", spiffe://sandbox.local/ns/b/sa/gateway": 2, "gateway": -1, "https://gateway": -1} {
		cfg, err := ConfigFromEnv("s", func(key string) string {
			if key == "GATEWAYS" {
				return text
			}
			return ""
		})
		if (err != nil) != (want < 0) || err == nil && len(cfg.Gateways) != want {
			t.Errorf("%q: %q, %v", text, cfg.Gateways, err)
		}
	}
}
