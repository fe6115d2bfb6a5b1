package attempts

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"

	"golang.org/x/net/http2"
)

// head are the first lines of a request of HTTP/1.1 that is the last one of its connection.
func head(request string, more ...string) parts {
	return text(append([]string{request, "Host: {host}", "X-Request-Id: {id}", "Connection: close"}, append(more, "", "")...)...)
}

// with adds a body to a request.
func with(request parts, body string) parts {
	return func(t Target, id string) []io.Reader { return append(request(t, id), strings.NewReader(body)) }
}

// large is a body of 5 MiB.
const large = 5 << 20

// sizes are requests that are too large.
func sizes() []Attempt {
	const calm = "goaway ENHANCE_YOUR_CALM"
	headersREST := refusedREST("431", "INVALID_ARGUMENT", "HEADERS_TOO_LARGE")
	var many []field
	var lines []string
	for i := range 40 {
		many = append(many, field{fmt.Sprintf("x-many-%d", i), strings.Repeat("Z", 1<<10)})
		lines = append(lines, fmt.Sprintf("X-Many-%d: %s", i, strings.Repeat("Z", 1<<10)))
	}
	// In HTTP/2, nginx counts bytes as they are sent, and Z is one that HPACK cannot shorten.
	long := strings.Repeat("Z", 9<<10)
	path := "/" + strings.Repeat("Z", 10<<10)
	declared := field{"content-length", fmt.Sprint(large)}
	return []Attempt{
		{Name: "header of 9 KiB, gRPC", Certificate: Valid, Want: calm, do: grpcCall(field{"x-long", long})},
		{Name: "header of 9 KiB, REST", Certificate: Valid, Want: headersREST, do: over1(head("GET {get} HTTP/1.1", "X-Long: "+long))},
		{Name: "40 KiB of headers, gRPC", Certificate: Valid, Want: calm, do: grpcCall(many...)},
		{Name: "40 KiB of headers, REST", Certificate: Valid, Want: headersREST, do: over1(head("GET {get} HTTP/1.1", lines...))},
		{Name: "address of 10 KiB, REST over HTTP/1.1", Certificate: Valid, Want: headersREST, do: over1(head("GET " + path + " HTTP/1.1"))},
		{Name: "address of 10 KiB, REST over HTTP/2", Certificate: Valid, Want: calm,
			do: over2(1, func(s *session) error { return s.open(1, true, restFields(s.target, "GET", path)...) })},
		{Name: "message of 5 MiB with its length, gRPC", Certificate: Valid, Want: refusedGRPC("INVALID_ARGUMENT", "BODY_TOO_LARGE"),
			do: over2(1, func(s *session) error {
				return s.call(1, message(make([]byte, large-5)), grpcFields(s.target, s.target.Unary, declared))
			})},
		{Name: "message of 5 MiB, gRPC", Certificate: Valid, Want: refusedGRPC("INVALID_ARGUMENT", "BODY_TOO_LARGE"),
			do: over2(1, func(s *session) error {
				return s.call(1, message(make([]byte, large)), grpcFields(s.target, s.target.Unary))
			})},
		{Name: "body of 5 MiB with its length, REST", Certificate: Valid, Want: refusedREST("413", "INVALID_ARGUMENT", "BODY_TOO_LARGE"),
			do: over1(with(head("POST {post} HTTP/1.1", "Content-Type: application/json", fmt.Sprint("Content-Length: ", large)), strings.Repeat(" ", large)))},
		{Name: "body of 5 MiB in chunks, REST", Certificate: Valid, Want: refusedREST("413", "INVALID_ARGUMENT", "BODY_TOO_LARGE"),
			do: over1(with(head("POST {post} HTTP/1.1", "Content-Type: application/json", "Transfer-Encoding: chunked"), strings.Repeat("1000\r\n"+strings.Repeat(" ", 0x1000)+"\r\n", large>>12)+"0\r\n\r\n"))},
		{Name: "body of 5 MiB over HTTP/2, REST", Certificate: Valid, Want: refusedREST("413", "INVALID_ARGUMENT", "BODY_TOO_LARGE"),
			do: over2(1, func(s *session) error {
				return s.call(1, bytes.Repeat([]byte{' '}, large), restFields(s.target, "POST", s.target.Post, field{"content-type", "application/json"}, declared))
			})},
	}
}

// slow are clients that stop in the middle. The gateway waits for ten seconds.
func slow() []Attempt {
	all := []Attempt{
		{Name: "half of a message, gRPC", Certificate: Valid, Want: "rst PROTOCOL_ERROR", do: over2(1, func(s *session) error {
			if err := s.open(1, false, grpcFields(s.target, s.target.Unary)...); err != nil {
				return err
			}
			return s.framer.WriteData(1, false, message(make([]byte, 100))[:50])
		})},
		{Name: "half of a body over HTTP/1.1, REST", Certificate: Valid, Want: "closed",
			do: over1(with(head("POST {post} HTTP/1.1", "Content-Type: application/json", "Content-Length: 100"), `{"name":`))},
		{Name: "half of a body over HTTP/2, REST", Certificate: Valid, Want: "rst PROTOCOL_ERROR", do: over2(1, func(s *session) error {
			if err := s.open(1, false, restFields(s.target, "POST", s.target.Post, field{"content-type", "application/json"})...); err != nil {
				return err
			}
			return s.framer.WriteData(1, false, []byte(`{"name":`))
		})},
		{Name: "half of the headers over HTTP/1.1", Certificate: Valid, Want: "closed", do: over1(text("GET {get} HTTP/1.1", "Host: {ho"))},
		{Name: "half of the headers over HTTP/2", Certificate: Valid, Want: "rst PROTOCOL_ERROR", do: over2(1, func(s *session) error {
			// CONTINUATION does not follow.
			return s.framer.WriteRawFrame(http2.FrameHeaders, 0, 1, s.encode(grpcFields(s.target, s.target.Unary)...))
		})},
		{Name: "a connection without a byte", Certificate: None, Want: "closed", do: overPlain(func(Target, string) []io.Reader { return nil })},
	}
	for i := range all {
		all[i].Slow = true
	}
	return all
}

// methods are calls of what the gateway does not pass on.
func methods() (all []Attempt) {
	unknown := refusedGRPC("UNIMPLEMENTED", "UNKNOWN_METHOD")
	for _, row := range []struct{ name, method string }{
		{"unknown method", "{service}/DropTables"}, {"unknown service", "acme.v1.Nothing/Call"}, {"health service", "grpc.health.v1.Health/Check"},
		{"reflection service", "grpc.reflection.v1.ServerReflection/ServerReflectionInfo"}, {"method that is not exposed", "{hidden}"},
		{"internal address of the gateway", "-/unauthenticated/grpc"}, {"internal address of the gateway with an unknown name", "-/x/grpc"},
		{"method with a query", "{unary}?a=b/../c"}, {"method in upper case", "{UNARY}"}, {"method with a second slash", "/{unary}"}, {"path traversal to a method", "a/../{unary}"},
	} {
		all = append(all, Attempt{Name: row.name + ", gRPC", Certificate: Valid, Want: unknown, do: grpcMethod(row.method)})
	}
	missing, bad := refusedREST("404", "NOT_FOUND", "UNKNOWN_ROUTE"), refusedREST("400", "INVALID_ARGUMENT", "BAD_REQUEST")
	notAllowed := refusedREST("405", "UNIMPLEMENTED", "METHOD_NOT_ALLOWED")
	for _, row := range []struct{ name, request, want string }{
		{"GET of a gRPC method without its content type", "GET /{unary} HTTP/1.1", refusedREST("404", "UNIMPLEMENTED", "UNKNOWN_METHOD")},
		{"internal address of the gateway", "GET /-/x/rest HTTP/1.1", missing},
		{"internal address of a refusal", "GET /-/unauthenticated/rest HTTP/1.1", refusedREST("404", "UNIMPLEMENTED", "UNKNOWN_METHOD")},
		{"path traversal", "GET /../../etc/passwd HTTP/1.1", bad},
		{"path traversal with escapes", "GET /v1/%2e%2e/%2e%2e/%2e%2e/etc/passwd HTTP/1.1", bad},
		{"path with a zero byte", "GET /v1/users/%00 HTTP/1.1", bad},
		{"absolute address of another host", "GET http://example.com/-/x HTTP/1.1", missing},
		{"CONNECT", "CONNECT example.com:443 HTTP/1.1", bad},
		{"TRACE", "TRACE {get} HTTP/1.1", notAllowed},
		{"DELETE", "DELETE {get} HTTP/1.1", notAllowed},
		{"unknown HTTP method", "BREW {get} HTTP/1.1", notAllowed},
	} {
		all = append(all, Attempt{Name: row.name + ", REST", Certificate: Valid, Want: row.want, do: over1(head(row.request))})
	}
	return append(all,
		Attempt{Name: "GET of a gRPC method, gRPC", Certificate: Valid, Want: refusedGRPC("UNIMPLEMENTED", "METHOD_NOT_ALLOWED"), do: over2(1, func(s *session) error {
			return s.open(1, true, restFields(s.target, "GET", "/"+s.target.Unary, field{"content-type", "application/grpc"})...)
		})},
		Attempt{Name: "CONNECT over HTTP/2", Certificate: Valid, Want: bad, do: over2(1, func(s *session) error {
			return s.open(1, true, field{":method", "CONNECT"}, field{":authority", "example.com:443"}, field{"x-request-id", newID()})
		})})
}

// grpcMethod calls a method by its name.
func grpcMethod(name string) func(context.Context, Target, Kind) (Outcome, error) {
	return over2(1, func(s *session) error {
		service, _, _ := strings.Cut(s.target.Unary, "/")
		path := strings.NewReplacer("{service}", service, "{hidden}", s.target.Hidden, "{unary}", s.target.Unary, "{UNARY}", strings.ToUpper(s.target.Unary)).Replace(name)
		return s.call(1, message(s.target.Request), grpcFields(s.target, path))
	})
}

// smuggling are requests of HTTP/1.1 whose end two servers could see at different places. A second answer would show that the gateway sees two requests.
func smuggling() []Attempt {
	const hidden = "GET /hidden HTTP/1.1\r\nHost: {host}\r\n\r\n"
	bad := refusedREST("400", "INVALID_ARGUMENT", "BAD_REQUEST")
	start := []string{"POST {post} HTTP/1.1", "Host: {host}", "X-Request-Id: {id}", "Content-Type: application/json"}
	post := func(lines ...string) func(context.Context, Target, Kind) (Outcome, error) {
		return all1(text(append(append([]string{}, start...), lines...)...))
	}
	return []Attempt{
		{Name: "Content-Length with Transfer-Encoding", Certificate: Valid, Want: bad, do: post("Content-Length: 5", "Transfer-Encoding: chunked", "", "0", "", hidden)},
		{Name: "two Content-Length", Certificate: Valid, Want: bad, do: post("Content-Length: 2", "Content-Length: 50", "", "{}"+hidden)},
		{Name: "Content-Length with a sign", Certificate: Valid, Want: bad, do: post("Content-Length: +2", "", "{}"+hidden)},
		{Name: "negative Content-Length", Certificate: Valid, Want: bad, do: post("Content-Length: -1", "", hidden)},
		{Name: "two Transfer-Encoding", Certificate: Valid, Want: bad, do: post("Transfer-Encoding: chunked", "Transfer-Encoding: identity", "", "0", "", hidden)},
		{Name: "unknown Transfer-Encoding", Certificate: Valid, Want: bad, do: post("Transfer-Encoding: xchunked", "", "0", "", hidden)},
		{Name: "Transfer-Encoding in HTTP/1.0", Certificate: Valid, Want: bad, do: all1(text("POST {post} HTTP/1.0", "Host: {host}", "X-Request-Id: {id}", "Transfer-Encoding: chunked", "", "0", "", hidden))},
		{Name: "chunk with a bad size", Certificate: Valid, Want: bad, do: post("Transfer-Encoding: chunked", "", "zz", hidden)},
		{Name: "chunk with a size beyond 64 bits", Certificate: Valid, Want: bad, do: post("Transfer-Encoding: chunked", "", "fffffffffffffffff", hidden)},
		{Name: "header with a line feed", Certificate: Valid, Want: bad, do: post("X-Folded: a", " b", "Content-Length: 0", "", "")},
		{Name: "header with a carriage return", Certificate: Valid, Want: bad, do: post("X-Return: a\rTransfer-Encoding: chunked", "Content-Length: 0", "", "")},
		{Name: "header with a zero byte", Certificate: Valid, Want: bad, do: post("X-Zero: a\x00b", "Content-Length: 0", "", "")},
		{Name: "space before the colon", Certificate: Valid, Want: bad, do: post("Content-Length : 2", "", "{}")},
		{Name: "header without a colon", Certificate: Valid, Want: bad, do: post("Transfer-Encoding", "Content-Length: 0", "", "")},
		{Name: "missing Host", Certificate: Valid, Want: bad, do: all1(text("GET {get} HTTP/1.1", "X-Request-Id: {id}", "", ""))},
		{Name: "two Host", Certificate: Valid, Want: bad, do: all1(text("GET {get} HTTP/1.1", "Host: {host}", "Host: example.com", "X-Request-Id: {id}", "", ""))},
		{Name: "Host with a slash", Certificate: Valid, Want: bad, do: all1(text("GET {get} HTTP/1.1", "Host: a/b", "X-Request-Id: {id}", "", ""))},
		{Name: "HTTP/0.9, which has no headers", Certificate: Valid, Want: "rest 0 INVALID_ARGUMENT BAD_REQUEST", do: over1(text("GET {get}", ""))},
		{Name: "HTTP/3.0 over TCP", Certificate: Valid, Want: bad, do: over1(text("GET {get} HTTP/3.0", "Host: {host}", "X-Request-Id: {id}", "", ""))},
		{Name: "garbage over TLS", Certificate: Valid, Want: bad, do: over1(text("\x16\x03\x01\x02", ""))},
	}
}
