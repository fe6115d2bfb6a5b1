package rest

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRoutes_ReachTheirMethod(t *testing.T) {
	s := &shop{}
	h := s.serve(t)
	tests := []struct{ name, method, target, body, call, answer string }{
		{"a user", "GET", "/v1/users/u-42", "", `/user.v1.UserService/GetUser {"userId":"u-42"}`, `{"user":{"userId":"u-42","name":"Ada Lovelace","email":"","age":0}}`},
		{"a new user", "POST", "/v1/users", `{"name": "Ada", "email": "ada@example.org", "age": 36}`,
			`/user.v1.UserService/CreateUser {"name":"Ada","email":"ada@example.org","age":36}`, `{"user":{"userId":"u-1001","name":"Ada","email":"ada@example.org","age":36}}`},
		{"a new order", "POST", "/v1/orders", `{"userId": "u-1", "lines": [{"sku": "sku-1", "quantity": 2}]}`,
			`/order.v1.OrderService/CreateOrder {"userId":"u-1","lines":[{"sku":"sku-1","quantity":2}]}`,
			`{"order":{"orderId":"o-1","userId":"u-1","userName":"","lines":[{"sku":"sku-1","quantity":2}],"totalCents":"4611686018427387905","state":"ORDER_STATE_CONFIRMED","reason":""}}`},
		{"an order", "GET", "/v1/orders/o-1", "", `/order.v1.OrderService/GetOrder {"orderId":"o-1"}`,
			`{"order":{"orderId":"o-1","userId":"","userName":"","lines":[],"totalCents":"0","state":"ORDER_STATE_UNSPECIFIED","reason":""}}`},
		{"orders", "GET", "/v1/orders?userId=u-1&pageSize=5&pageToken=x%26y", "", `/order.v1.OrderService/ListOrders {"userId":"u-1","pageSize":5,"pageToken":"x&y"}`,
			`{"orders":[],"nextPageToken":"next"}`},
		{"all orders", "GET", "/v1/orders", "", `/order.v1.OrderService/ListOrders {}`, `{"orders":[],"nextPageToken":"next"}`},
	}
	called := map[string]bool{}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := send(h, request(test.method, test.target, test.body))
			if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "application/json" || strings.TrimSuffix(w.Body.String(), "\n") != test.answer {
				t.Errorf("the answer is %d %s %s, want %s", w.Code, w.Header().Get("Content-Type"), w.Body, test.answer)
			}
			if got := s.last(t); got != test.call {
				t.Errorf("the call is\n%s, want\n%s", got, test.call)
			}
			called[test.method+" "+strings.Split(s.last(t), " ")[0]] = true
		})
	}
	doc, err := readDocument(openAPI)
	must(t, err)
	if operations := doc.operations(); len(called) != len(operations) {
		t.Errorf("%d of %d operations are tested", len(called), len(operations))
	}
}

// TestOperations_ExamplesAreAccepted sends the example body of each operation.
func TestOperations_ExamplesAreAccepted(t *testing.T) {
	h := (&shop{}).serve(t)
	doc, err := readDocument(openAPI)
	must(t, err)
	for path, methods := range doc.Paths {
		for method, o := range methods {
			s := doc.section(strings.ToUpper(method), path, o, "curl", "https://gateway")
			target := strings.NewReplacer("{userId}", "u-42", "{orderId}", "o-1").Replace(path)
			if w := send(h, request(s.Method, target, s.Example)); w.Code != http.StatusOK {
				t.Errorf("%s %s: %d %s", s.Method, path, w.Code, w.Body)
			}
			if (method == "post") != (s.Example != "") || s.Summary == "" {
				t.Errorf("%s %s has no example or summary", s.Method, path)
			}
		}
	}
}

func TestPath_ValuesArriveUnchanged(t *testing.T) {
	s := &shop{}
	h := s.serve(t)
	for escaped, want := range map[string]string{
		"u-42": "u-42", "a%2Fb": "a/b", "a%2fb": "a/b", "a%252Fb": "a%2Fb", "%C3%BC-%F0%9F%9B%92": "ü-🛒", "a%20b": "a b", "a+b": "a+b", "a:b": "a:b", "a%3Ab": "a:b",
		"..": "..", "%2E%2E": "..", "a;b=c": "a;b=c", "%3Fx": "?x", "%23": "#", "0": "0", "7": "7", "{userId}": "{userId}", "a%0Ab": "a\nb",
	} {
		w := send(h, request("GET", "/v1/users/"+escaped, ""))
		if w.Code != http.StatusOK {
			t.Errorf("%s: %d %s", escaped, w.Code, w.Body)
			continue
		}
		got := s.request.(interface{ GetUserId() string }).GetUserId()
		if got != want {
			t.Errorf("%s arrived as %q, want %q", escaped, got, want)
		}
	}
}

// TestPath_TextThatIsNotUTF8 cannot be a string of protobuf.
func TestPath_TextThatIsNotUTF8(t *testing.T) {
	s := &shop{}
	h := s.serve(t)
	for target, reason := range map[string]string{
		"/v1/users/%ff": ReasonMalformedPath, "/v1/orders/a%c3": ReasonMalformedPath, "/v1/orders?userId=%ff": ReasonMalformedQuery, "/v1/orders?%ff=1": ReasonUnknownField,
	} {
		if p := problemOf(t, send(h, request("GET", target, ""))); p.Code != "INVALID_ARGUMENT" || p.Reason != reason {
			t.Errorf("%s: %+v", target, p)
		}
	}
	if s.count() != 0 {
		t.Errorf("%d calls were made", s.count())
	}
}

func TestRoute_Refusals(t *testing.T) {
	s := &shop{}
	h := s.serve(t)
	tests := []struct {
		name, method, target, body string
		status                     int
		code, reason, allow        string
	}{
		{"root", "GET", "/", "", 404, "NOT_FOUND", ReasonUnknownRoute, ""},
		{"unknown path", "GET", "/v1/payments", "", 404, "NOT_FOUND", ReasonUnknownRoute, ""},
		{"gRPC path of a method with a route", "POST", "/user.v1.UserService/GetUser", "{}", 404, "NOT_FOUND", ReasonUnknownRoute, ""},
		{"method without a route", "POST", "/v1/orders:audit", "{}", 404, "NOT_FOUND", ReasonUnknownRoute, ""},
		{"path below a route", "GET", "/v1/users/u-1/orders", "", 404, "NOT_FOUND", ReasonUnknownRoute, ""},
		{"empty value", "GET", "/v1/users/", "", 404, "NOT_FOUND", ReasonUnknownRoute, ""},
		{"doubled slash", "GET", "//v1/orders", "", 404, "NOT_FOUND", ReasonUnknownRoute, ""},
		{"other letter case", "GET", "/V1/orders", "", 404, "NOT_FOUND", ReasonUnknownRoute, ""},
		{"OPTIONS of an unknown path", "OPTIONS", "/v2", "", 404, "NOT_FOUND", ReasonUnknownRoute, ""},
		{"PUT", "PUT", "/v1/users", "{}", 405, "UNIMPLEMENTED", ReasonMethodNotAllowed, "POST, OPTIONS"},
		{"DELETE", "DELETE", "/v1/users/u-1", "", 405, "UNIMPLEMENTED", ReasonMethodNotAllowed, "GET, HEAD, OPTIONS"},
		{"POST to an element", "POST", "/v1/orders/o-1", "{}", 405, "UNIMPLEMENTED", ReasonMethodNotAllowed, "GET, HEAD, OPTIONS"},
		{"PATCH", "PATCH", "/v1/orders", "{}", 405, "UNIMPLEMENTED", ReasonMethodNotAllowed, "GET, HEAD, POST, OPTIONS"},
		{"HEAD without GET", "HEAD", "/v1/users", "", 405, "UNIMPLEMENTED", ReasonMethodNotAllowed, "POST, OPTIONS"},
		{"method in lower case", "get", "/v1/orders", "", 405, "UNIMPLEMENTED", ReasonMethodNotAllowed, "GET, HEAD, POST, OPTIONS"},
		{"unknown method", "<B>", "/v1/orders", "", 405, "UNIMPLEMENTED", ReasonMethodNotAllowed, "GET, HEAD, POST, OPTIONS"},
		{"POST to the page", "POST", "/docs", "{}", 405, "UNIMPLEMENTED", ReasonMethodNotAllowed, "GET, HEAD, OPTIONS"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := request("GET", test.target, test.body)
			r.Method = test.method
			w := send(h, r)
			p := problemOf(t, w)
			if p.Status != test.status || p.Code != test.code || p.Reason != test.reason || w.Header().Get("Allow") != test.allow {
				t.Errorf("Allow: %s, %+v", w.Header().Get("Allow"), p)
			}
		})
	}
	if s.count() != 0 {
		t.Errorf("%d calls were made", s.count())
	}
}

func TestQuery_Refusals(t *testing.T) {
	s := &shop{}
	h := s.serve(t)
	for target, want := range map[string][2]string{
		"/v1/orders?limit=5":                 {ReasonUnknownField, "limit"},
		"/v1/orders?page_size=5":             {ReasonUnknownField, "page_size"},
		"/v1/orders?pageSize=":               {ReasonMalformedQuery, "pageSize"},
		"/v1/orders?pageSize=x":              {ReasonMalformedQuery, "pageSize"},
		"/v1/orders?pageSize=1e2":            {ReasonMalformedQuery, "pageSize"},
		"/v1/orders?pageSize=2147483648":     {ReasonMalformedQuery, "pageSize"},
		"/v1/orders?pageSize=1&pageSize=2":   {ReasonMalformedQuery, "pageSize"},
		"/v1/orders?userId[x]=1":             {ReasonUnknownField, "userId[x]"},
		"/v1/orders?a;b":                     {ReasonMalformedQuery, ""},
		"/v1/orders?a=%25zz&userId=%zz":      {ReasonMalformedQuery, ""},
		"/v1/users/u-1?userId=u-2":           {ReasonUnknownField, "userId"},
		"/v1/orders/o-1?Grpc-Metadata-x=y":   {ReasonUnknownField, "Grpc-Metadata-x"},
		"/v1/orders?userId=a&Request-Id=%00": {ReasonUnknownField, "Request-Id"},
	} {
		p := problemOf(t, send(h, request("GET", target, "")))
		if p.Status != 400 || p.Code != "INVALID_ARGUMENT" || p.Reason != want[0] || violation(p) != want[1] {
			t.Errorf("%s: %+v, field %q", target, p, violation(p))
		}
	}
	if p := problemOf(t, send(h, request("POST", "/v1/users?name=Ada", "{}"))); violation(p) != "name" {
		t.Errorf("%+v", p)
	}
	if s.count() != 0 {
		t.Errorf("%d calls were made", s.count())
	}
}

// TestMethods_OnAServer uses net/http, which does not send the body of an answer to HEAD.
func TestMethods_OnAServer(t *testing.T) {
	s := &shop{}
	server := httptest.NewServer(s.serve(t))
	defer server.Close()
	answers := map[string]int{}
	for _, target := range []string{"/v1/users/u-42", "/v1/orders", "/docs", "/openapi.json"} {
		for _, method := range []string{"GET", "HEAD", "OPTIONS"} {
			r, err := http.NewRequestWithContext(t.Context(), method, server.URL+target, nil)
			must(t, err)
			w, err := server.Client().Do(r)
			must(t, err)
			must(t, w.Body.Close())
			answers[method+" "+target] = w.StatusCode
			if method == "HEAD" && (w.ContentLength <= 0 || w.Header.Get("Content-Type") == "") {
				t.Errorf("HEAD %s: length %d, %v", target, w.ContentLength, w.Header)
			}
			if method == "OPTIONS" && !strings.HasPrefix(w.Header.Get("Allow"), "GET, HEAD, ") {
				t.Errorf("OPTIONS %s: %v", target, w.Header)
			}
		}
	}
	want := map[string]int{}
	for _, target := range []string{"/v1/users/u-42", "/v1/orders", "/docs", "/openapi.json"} {
		want["GET "+target], want["HEAD "+target], want["OPTIONS "+target] = 200, 200, 204
	}
	if diff := cmp.Diff(want, answers); diff != "" {
		t.Error(diff)
	}
	if s.count() != 4 {
		t.Errorf("%d calls were made, want one for each GET and HEAD of an operation", s.count())
	}
}
