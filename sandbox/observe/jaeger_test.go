package observe

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestTraces_WithParentsAndServices(t *testing.T) {
	since := time.UnixMicro(1772366400000000)
	s := answering(t, func(w http.ResponseWriter, r *http.Request) {
		want := "limit=20&service=loadgen&start=1772366400000000"
		if r.URL.Path != "/api/traces" || r.URL.RawQuery != want {
			t.Errorf("asked %s?%s, want /api/traces?%s", r.URL.Path, r.URL.RawQuery, want)
		}
		fmt.Fprint(w, `{"data":[{"traceID":"4bf92f3577b34da6a3ce929d0e0e4736","spans":[
			{"traceID":"4bf9","spanID":"00f067aa0ba902b7","operationName":"user.v1.UserService/GetUser","references":[],
			 "startTime":1772366400000100,"duration":2100,"tags":[{"key":"span.kind","type":"string","value":"client"}],"logs":[],"processID":"p1","warnings":null},
			{"traceID":"4bf9","spanID":"b9c7c989f97918e1","operationName":"user.v1.UserService/GetUser",
			 "references":[{"refType":"FOLLOWS_FROM","traceID":"4bf9","spanID":"no"},{"refType":"CHILD_OF","traceID":"4bf9","spanID":"00f067aa0ba902b7"}],
			 "startTime":1772366400000200,"duration":900,"processID":"p2"}],
			"processes":{"p1":{"serviceName":"loadgen","tags":[]},"p2":{"serviceName":"userservice","tags":[]}},"warnings":null}],
			"total":0,"limit":0,"offset":0,"errors":null}`)
	})
	got, err := NewJaeger("jaeger", s.URL+"/", nil).Traces(t.Context(), "loadgen", since, 20)
	if err != nil {
		t.Fatal(err)
	}
	want := []Trace{{ID: "4bf92f3577b34da6a3ce929d0e0e4736", Spans: []Span{
		{ID: "00f067aa0ba902b7", Service: "loadgen", Operation: "user.v1.UserService/GetUser", Start: since.Add(100 * time.Microsecond), Duration: 2100 * time.Microsecond},
		{ID: "b9c7c989f97918e1", ParentID: "00f067aa0ba902b7", Service: "userservice", Operation: "user.v1.UserService/GetUser",
			Start: since.Add(200 * time.Microsecond), Duration: 900 * time.Microsecond},
	}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("traces (-want +got):\n%s", diff)
	}
}

func TestTrace_ByID(t *testing.T) {
	s := answering(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/api/traces/4bf9":
			fmt.Fprint(w, `{"data":[{"traceID":"4bf9","spans":[{"spanID":"00f0","operationName":"CreateOrder","processID":"p1"}],
				"processes":{"p1":{"serviceName":"orderservice"}}}]}`)
		case "/api/traces/e0":
			fmt.Fprint(w, `{"data":[]}`)
		default:
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, `{"data":null,"errors":[{"code":404,"msg":"trace not found"}]}`)
		}
	})
	j := NewJaeger("jaeger", s.URL, nil)
	got, err := j.Trace(t.Context(), "4bf9")
	if err != nil || len(got.Spans) != 1 || got.Spans[0].Service != "orderservice" {
		t.Errorf("trace 4bf9: %+v, %v", got, err)
	}
	for _, id := range []string{"e0", "beef"} {
		if got, err := j.Trace(t.Context(), id); err == nil {
			t.Errorf("trace %s, of which nothing has arrived: %+v", id, got)
		}
	}
}

func TestServices_NoneYet(t *testing.T) {
	for _, tt := range []struct {
		name, body string
		want       []string
	}{
		{"some", `{"data":["loadgen","userservice"],"total":2,"limit":0,"offset":0,"errors":null}`, []string{"loadgen", "userservice"}},
		{"none yet", `{"data":null,"total":0,"limit":0,"offset":0,"errors":null}`, nil},
	} {
		s := answering(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, tt.body) })
		got, err := NewJaeger("jaeger", s.URL, nil).Services(t.Context())
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestJaeger_ErrorsHaveRemedies(t *testing.T) {
	broken := append(breakages("jaeger"), breakage{"an error in the answer", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"data":null,"errors":[{"code":500,"msg":"storage is gone"}]}`)
	}, "sandbox doctor", 0})
	for _, b := range broken {
		t.Run(b.name, func(t *testing.T) {
			j := NewJaeger("jaeger", answering(t, b.serve).URL, &http.Client{Timeout: b.limit})
			_, err := j.Traces(t.Context(), "loadgen", time.Time{}, 1)
			remedied(t, err, b.says)
			_, err = j.Services(t.Context())
			remedied(t, err, b.says)
		})
	}
}
