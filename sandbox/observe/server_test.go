package observe

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
)

// answering serves h until the test ends.
func answering(t *testing.T, h http.HandlerFunc) *httptest.Server {
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

// prometheus answers each query that contains a key with that key's result, and every other query with an empty result.
func prometheus(t *testing.T, results map[string]string) *Prometheus {
	s := answering(t, func(w http.ResponseWriter, r *http.Request) {
		result := `{"resultType":"vector","result":[]}`
		for part, res := range results {
			if strings.Contains(r.FormValue("query"), part) {
				result = res
			}
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"status":"success","data":%s}`, result)
	})
	return client(t, s.URL, time.Second)
}

func client(t *testing.T, base string, timeout time.Duration) *Prometheus {
	p, err := NewPrometheus("prometheus", base, &http.Client{Timeout: timeout})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func vector(samples ...string) string {
	return `{"resultType":"vector","result":[` + strings.Join(samples, ",") + `]}`
}

func sample(labels, value string) string {
	return `{"metric":{` + labels + `},"value":[1772366400.123,"` + value + `"]}`
}

// breakage is one way in which a server can fail, and what the error must contain.
type breakage struct {
	name  string
	serve http.HandlerFunc
	says  string
	// limit is the timeout of the client; 0 means none.
	limit time.Duration
}

func breakages(release string) []breakage {
	return []breakage{
		{"malformed JSON", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"status":"succ`) }, "does not speak like " + release, 0},
		{"a page of another server", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, "<html>404 page not found</html>")
		}, "does not speak like " + release, 0},
		{"not ready", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprint(w, "Service Unavailable")
		}, "sandbox logs " + release, 0},
		{"silent", func(_ http.ResponseWriter, r *http.Request) {
			// Without reading the body the server does not notice that the client has gone.
			_, _ = io.Copy(io.Discard, r.Body)
			select {
			case <-r.Context().Done():
			case <-time.After(5 * time.Second):
			}
		}, "whether " + release + " is ready", 200 * time.Millisecond},
	}
}

// remedied checks that err carries the remedy.
func remedied(t *testing.T, err error, says string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	remedies := remedy.Of(err)
	if len(remedies) != 1 || err.Error() == "" || !strings.Contains(remedies[0].Text(nil), says) {
		t.Errorf("error %q does not say to try %q", err, says)
	}
}
