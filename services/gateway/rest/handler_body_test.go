package rest

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/grpc-sandbox/sandbox/internal/pause"
)

func TestBody_Refusals(t *testing.T) {
	s := &shop{}
	h := s.serve(t)
	tests := []struct{ name, target, body, reason, field, detail string }{
		{"empty object in a list", "/v1/orders", `{"lines": [{}, 1]}`, ReasonMalformedBody, "", "(line 1:16)"},
		{"no text", "/v1/users", "", ReasonMalformedBody, "", "the body is empty"},
		{"spaces only", "/v1/users", " \n", ReasonMalformedBody, "", "the body is empty"},
		{"not JSON", "/v1/users", "name=Ada", ReasonMalformedBody, "", "(line 1:1)"},
		{"cut off", "/v1/users", "{\n \"name\": \"A", ReasonMalformedBody, "", "(line 2:11): unexpected end of JSON input"},
		{"trailing comma", "/v1/users", "{\"name\": \"A\",\n}", ReasonMalformedBody, "", "(line 2:1)"},
		{"two objects", "/v1/users", "{}{}", ReasonMalformedBody, "", "(line 1:3)"},
		{"list", "/v1/users", "[]", ReasonMalformedBody, "", "(line 1:1)"},
		{"null", "/v1/users", "null", ReasonMalformedBody, "", "(line 1:1)"},
		{"comment", "/v1/users", "{/* no */}", ReasonMalformedBody, "", "(line 1:2)"},
		{"byte order mark", "/v1/users", "\ufeff{}", ReasonMalformedBody, "", "(line 1:1)"},
		{"not UTF-8", "/v1/users", "{\"name\": \"\xff\"}", ReasonMalformedBody, "", "invalid UTF-8"},
		{"half a surrogate pair", "/v1/users", `{"name": "\ud800"}`, ReasonMalformedBody, "", "reading the body: "},
		{"unknown field", "/v1/users", `{"fullName": "Ada"}`, ReasonUnknownField, "fullName", `(line 1:2): unknown field "fullName"`},
		{"unknown field with a quote", "/v1/users", `{"na\"me": "Ada"}`, ReasonUnknownField, `na"me`, "unknown field"},
		{"unknown field of a line", "/v1/orders", "{\"lines\": [\n{\"sku\": \"a\", \"price\": 1}]}", ReasonUnknownField, "price", "(line 2:14)"},
		{"field in other letter case", "/v1/users", `{"NAME": "Ada"}`, ReasonUnknownField, "NAME", "unknown field"},
		{"field twice", "/v1/users", `{"name": "A", "name": "B"}`, ReasonMalformedBody, "name", "duplicate field"},
		{"field under both names", "/v1/orders", `{"userId": "A", "user_id": "B"}`, ReasonMalformedBody, "user_id", "duplicate field"},
		{"text for a number", "/v1/users", `{"age": "old"}`, ReasonMalformedBody, "age", `(line 1:9): invalid value for int32 field age: "old"`},
		{"number for a text", "/v1/users", `{"name": 5}`, ReasonMalformedBody, "name", "invalid value for string field name: 5"},
		{"number too large", "/v1/users", `{"age": 2147483648}`, ReasonMalformedBody, "age", "invalid value for int32 field age"},
		{"number far too large", "/v1/users", `{"age": 1e400}`, ReasonMalformedBody, "age", "invalid value"},
		{"fraction", "/v1/users", `{"age": 1.5}`, ReasonMalformedBody, "age", "invalid value"},
		{"object for a list", "/v1/orders", `{"lines": {}}`, ReasonMalformedBody, "", "(line 1:11)"},
		{"deep nesting", "/v1/orders", strings.Repeat(`{"lines":[`, 20000), ReasonMalformedBody, "", "reading the body"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := problemOf(t, send(h, request("POST", test.target, test.body, "Content-Type", "application/json")))
			if p.Status != 400 || p.Code != "INVALID_ARGUMENT" || !strings.Contains(p.Detail, test.detail) || strings.Contains(p.Detail, "\u00a0") {
				t.Errorf("%+v", p)
			}
			if p.Reason != test.reason && test.name != "deep nesting" || violation(p) != test.field && test.name != "deep nesting" {
				t.Errorf("reason %s, field %q, want %s and %q: %s", p.Reason, violation(p), test.reason, test.field, p.Detail)
			}
		})
	}
	if s.count() != 0 {
		t.Errorf("%d calls were made", s.count())
	}
}

func TestBody_BothNamesAndLargeNumbers(t *testing.T) {
	s := &shop{}
	h := s.serve(t)
	for body, want := range map[string]string{
		`{"user_id": "u-1"}`:                                `{"userId":"u-1"}`,
		`{"userId": "ü🛒 "}`:                                 `{"userId":"ü🛒 "}`,
		`{"lines": [{"sku": "a", "quantity": 2147483647}]}`: `{"lines":[{"sku":"a","quantity":2147483647}]}`,
		`{"lines": [{"sku": "a", "quantity": "12"}]}`:       `{"lines":[{"sku":"a","quantity":12}]}`,
		`{"lines": [{"sku": "a", "quantity": 1e3}]}`:        `{"lines":[{"sku":"a","quantity":1000}]}`,
		`{"lines": null, "userId": null}`:                   `{}`,
	} {
		w := send(h, request("POST", "/v1/orders", body))
		if got := s.last(t); w.Code != 200 || got != "/order.v1.OrderService/CreateOrder "+want {
			t.Errorf("%s: %d %s, call %s", body, w.Code, w.Body, got)
		}
	}
}

func TestBody_ContentType(t *testing.T) {
	s := &shop{}
	h := s.serve(t)
	for _, good := range []string{"application/json", "Application/JSON", "application/json; charset=utf-8", `application/json; charset="UTF-8"`, "application/json;x=y"} {
		if w := send(h, request("POST", "/v1/users", "{}", "Content-Type", good)); w.Code != 200 {
			t.Errorf("%s: %d %s", good, w.Code, w.Body)
		}
	}
	for _, bad := range []string{"", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/json; charset=latin1", "application/grpc",
		"application/problem+json", "application/json, text/html", "json", ";", "application/json; charset", "*/*"} {
		if p := problemOf(t, send(h, request("POST", "/v1/users", "{}", "Content-Type", bad))); p.Status != 415 || p.Reason != ReasonUnsupportedMediaType {
			t.Errorf("%q: %+v", bad, p)
		}
	}
	if p := problemOf(t, send(h, request("POST", "/v1/users", "\x1f\x8b", "Content-Encoding", "gzip"))); p.Status != 415 {
		t.Errorf("%+v", p)
	}
	// The form of a GET in the body of a POST, and the name of another method, change nothing.
	r := request("POST", "/v1/users/u-1", "userId=u-2", "Content-Type", "application/x-www-form-urlencoded", "X-HTTP-Method-Override", "GET")
	if p := problemOf(t, send(h, r)); p.Status != 405 {
		t.Errorf("%+v", p)
	}
}

func TestBody_Limit(t *testing.T) {
	s := &shop{}
	h := s.serve(t, func(cfg *Config) { cfg.MaxBody = 64 })
	of := func(n int) string { return `{"name": "` + strings.Repeat("x", n-12) + `"}` }
	if w := send(h, request("POST", "/v1/users", of(64))); w.Code != 200 {
		t.Errorf("64 bytes: %d %s", w.Code, w.Body)
	}
	for _, known := range []bool{true, false} {
		r := request("POST", "/v1/users", of(65))
		if !known {
			r.ContentLength, r.TransferEncoding = -1, []string{"chunked"}
		}
		if p := problemOf(t, send(h, r)); p.Status != 413 || p.Reason != ReasonBodyTooLarge || p.Detail != "the body is larger than 64 bytes" {
			t.Errorf("%+v", p)
		}
	}
	if s.count() != 1 {
		t.Errorf("%d calls were made", s.count())
	}
}

// TestBody_Trickles sends a body that makes progress and never ends, and then another one over a new connection.
func TestBody_Trickles(t *testing.T) {
	s := &shop{}
	server := httptest.NewServer(s.serve(t, func(cfg *Config) { cfg.BodyTime = 200 * time.Millisecond }))
	defer server.Close()
	body, writer := io.Pipe()
	defer writer.Close()
	go func() {
		for {
			if _, err := writer.Write([]byte(" ")); err != nil {
				return
			}
			_ = pause.For(t.Context(), 5*time.Millisecond)
		}
	}()
	post := func(body io.Reader) *http.Response {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/v1/users", body)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		w, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = w.Body.Close() })
		return w
	}
	w := post(body)
	text, err := io.ReadAll(w.Body)
	if err != nil || w.StatusCode != http.StatusRequestTimeout || !strings.Contains(string(text), ReasonRequestTimeout) {
		t.Errorf("%s %s, %v", w.Status, text, err)
	}
	if w := post(strings.NewReader(`{"name": "x"}`)); w.StatusCode != http.StatusOK || s.count() != 1 {
		t.Errorf("the next request: %s, %d calls were made", w.Status, s.count())
	}
}

// TestBody_TimeIsNotThatOfTheCall makes a call that takes longer than its body may.
func TestBody_TimeIsNotThatOfTheCall(t *testing.T) {
	const bodyTime = 50 * time.Millisecond
	s := &shop{err: func() error { return pause.For(t.Context(), 4*bodyTime) }}
	server := httptest.NewServer(s.serve(t, func(cfg *Config) { cfg.BodyTime = bodyTime }))
	defer server.Close()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/v1/users", strings.NewReader(`{"name": "x"}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	w, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Body.Close()
	if text, err := io.ReadAll(w.Body); err != nil || w.StatusCode != http.StatusOK {
		t.Errorf("%s %s, %v", w.Status, text, err)
	}
}

func TestBody_IsCutOff(t *testing.T) {
	s := &shop{}
	h := s.serve(t)
	r := request("POST", "/v1/users", "{}")
	r.Body = io.NopCloser(io.MultiReader(strings.NewReader(`{"name":`), iotest.ErrReader(io.ErrUnexpectedEOF)))
	if p := problemOf(t, send(h, r)); p.Status != 400 || p.Reason != ReasonMalformedBody || s.count() != 0 {
		t.Errorf("%+v", p)
	}
}

type panicking struct{}

func (panicking) Read([]byte) (int, error) { panic("of the test") }
func (panicking) Close() error             { return nil }

func TestPanic_IsAProblem(t *testing.T) {
	h := (&shop{}).serve(t)
	r := request("POST", "/v1/users", "{}", "X-Request-Id", "r-1")
	r.Body = panicking{}
	if p := problemOf(t, send(h, r)); p.Status != 500 || p.Code != "INTERNAL" || strings.Contains(p.Detail, "test") || p.RequestID != "r-1" {
		t.Errorf("%+v", p)
	}
}

// cutOff is a connection that fails after the header of the answer.
type cutOff struct{ http.ResponseWriter }

func (cutOff) Write([]byte) (int, error) { panic(errors.New("of the test")) }

func TestPanic_AfterTheHeader(t *testing.T) {
	h := (&shop{}).serve(t)
	defer func() {
		if got := recover(); got != http.ErrAbortHandler { //nolint:errorlint // net/http compares it in the same way
			t.Errorf("recovered %v", got)
		}
	}()
	h.ServeHTTP(cutOff{httptest.NewRecorder()}, request("GET", "/docs", ""))
}
