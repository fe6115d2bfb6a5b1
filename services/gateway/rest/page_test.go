package rest

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
)

func TestPage_Golden(t *testing.T) {
	w := send((&shop{}).serve(t), request("GET", "/docs", ""))
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "text/html; charset=utf-8" {
		t.Fatalf("%d %v", w.Code, w.Header())
	}
	golden(t, "docs.golden.html", w.Body.String())
}

// TestPage_IsSelfContained allows links within the page and to the document, and nothing that a browser would fetch or run.
func TestPage_IsSelfContained(t *testing.T) {
	page := send((&shop{}).serve(t), request("GET", "/docs", "")).Body.String()
	for _, found := range regexp.MustCompile(`(?i)<script|<link|<img|<iframe|@import|url\(|\bon\w+=|(?:src|href)="[^#/]`).FindAllString(page, -1) {
		t.Errorf("the page has %q", found)
	}
	doc, err := readDocument(openAPI)
	must(t, err)
	for path, methods := range doc.Paths {
		for method := range methods {
			if !strings.Contains(page, fmt.Sprintf("<code>%s %s</code></h2>", strings.ToUpper(method), path)) {
				t.Errorf("%s %s is not on the page", method, path)
			}
		}
	}
}

func TestPage_CurlOfTheConfiguration(t *testing.T) {
	h := (&shop{}).serve(t, func(cfg *Config) { cfg.Curl, cfg.BaseURL = "curl -k", "https://127.0.0.1:8443" })
	page := send(h, request("GET", "/docs", "")).Body.String()
	for _, want := range []string{`curl -k &#34;https://127.0.0.1:8443/v1/users/u-42&#34;`, `curl -k &#34;https://127.0.0.1:8443/v1/orders/$ORDER_ID&#34;`} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %s", want)
		}
	}
}

func TestOpenAPI_DescribesTheProblem(t *testing.T) {
	w := send((&shop{}).serve(t), request("GET", "/openapi.json", ""))
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "application/json" || !bytes.Equal(w.Body.Bytes(), openAPI) {
		t.Fatalf("%d %v", w.Code, w.Header())
	}
	doc, err := readDocument(openAPI)
	must(t, err)
	if doc.Info.Title != "The shop" {
		t.Errorf("the title is %q", doc.Info.Title)
	}
	operations := 0
	for path, methods := range doc.Paths {
		for method, o := range methods {
			operations++
			if typeName(o.Responses["default"].Schema) != "Problem" || o.Responses["200"].Schema.Ref == "" || o.Summary == "" {
				t.Errorf("%s %s is not described: %+v", method, path, o)
			}
		}
	}
	for _, member := range []string{"type", "title", "status", "detail", "code", "reason", "requestId", "details"} {
		if doc.Definitions["Problem"].Properties[member].Description == "" {
			t.Errorf("the member %s of a problem is not described", member)
		}
	}
	if operations != 5 || bytes.Contains(openAPI, []byte("Audit\"")) || bytes.Contains(openAPI, []byte("Chat\"")) {
		t.Errorf("%d operations", operations)
	}
}

func TestReadDocument_NotJSON(t *testing.T) {
	if _, err := readDocument([]byte("{")); err == nil {
		t.Error("no error")
	}
}

// TestReadme_HasTheTables compares the tables of codes and reasons in README.md with those of the code.
func TestReadme_HasTheTables(t *testing.T) {
	const file = "README.md"
	raw, err := os.ReadFile(file)
	must(t, err)
	text := string(raw)
	var codes, reasons strings.Builder
	codes.WriteString("| code | HTTP status |\n|---|---|\n")
	for _, c := range statuses() {
		fmt.Fprintf(&codes, "| %s | %d %s |\n", c.Code, c.Status, c.Title)
	}
	reasons.WriteString("| reason | code | HTTP status | meaning |\n|---|---|---|---|\n")
	for _, r := range Reasons() {
		fmt.Fprintf(&reasons, "| `%s` | %s | %d | %s |\n", r.Name, codeName(r.Code), r.Status, r.Meaning)
	}
	for name, table := range map[string]string{"codes": codes.String(), "reasons": reasons.String()} {
		from, to := "<!-- "+name+": printed by task golden -->\n", "<!-- end of "+name+" -->\n"
		before, rest, found := strings.Cut(text, from)
		_, after, ended := strings.Cut(rest, to)
		if !found || !ended {
			t.Fatalf("%s has no place for the table %s", file, name)
		}
		text = before + from + table + to + after
	}
	if *update {
		must(t, os.WriteFile(file, []byte(text), 0o600))
	} else if text != string(raw) {
		t.Errorf("the tables in %s are out of date; run `task golden`", file)
	}
}
