package rest

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// FuzzHandler_AnswersJSON sends any method, path, header and body. The answer is JSON, a page or a complete problem, and only metadata of the list
// reaches a service.
func FuzzHandler_AnswersJSON(f *testing.F) {
	s := &shop{}
	h := s.serve(f)
	for _, seed := range [][6]string{
		{"GET", "/v1/users/u-42", "", "X-Partner", "acme", ""},
		{"POST", "/v1/users", "", "Content-Type", "application/json", `{"name": "Ada", "age": 36}`},
		{"POST", "/v1/orders", "", "Idempotency-Key", "k", `{"lines": [{"sku": "a", "quantity": 1e9}], "x": {}}`},
		{"GET", "/v1/orders", "pageSize=1&userId=%ff", "Grpc-Timeout", "1n", ""},
		{"HEAD", "/v1/orders/%2F..%2f", "a;b", "Request-Timeout", "1.5", ""},
		{"OPTIONS", "/docs", "", "Grpc-Metadata-X", "\xff", "[]"},
		{"PUT", "//", "%", "Traceparent", parent, "\"\\ud800\""},
	} {
		f.Add(seed[0], seed[1], seed[2], seed[3], seed[4], seed[5])
	}
	f.Fuzz(func(t *testing.T, method, path, query, name, value, body string) {
		u := &url.URL{RawQuery: query}
		if decoded, err := url.PathUnescape(path); err == nil {
			u.Path, u.RawPath = decoded, path
		} else {
			u.Path = path
		}
		r := httptest.NewRequest(http.MethodGet, "/", strings.NewReader(body))
		r.Method, r.URL = method, u
		r.Header["Content-Type"] = []string{"application/json"}
		r.Header[name] = []string{value}
		w := send(h, r)
		switch media := w.Header().Get("Content-Type"); {
		case w.Code >= 400:
			problemOf(t, w)
		case w.Code == http.StatusNoContent && method == http.MethodOptions:
		case w.Code != http.StatusOK || media != "application/json" && u.Path != "/docs":
			t.Errorf("%d %s", w.Code, media)
		case media == "application/json" && !json.Valid(w.Body.Bytes()):
			t.Errorf("not JSON: %s", w.Body)
		}
		allowed := []string{"x-request-id", "x-partner", "traceparent", "tracestate"}
		for key, values := range s.received() {
			if !slices.Contains(allowed, key) || len(values) != 1 {
				t.Errorf("the service received %s: %q", key, values)
			}
		}
	})
}
