package observe

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Trace is one request on its way through the services.
type Trace struct {
	// ID is the id of the trace in hexadecimal digits.
	ID    string
	Spans []Span
}

// Span is one piece of work in a trace.
type Span struct {
	// ID is the id of the span in hexadecimal digits.
	ID string
	// ParentID is empty for the first span.
	ParentID string
	// Service is the service that did the work, Operation what Jaeger shows as the name of the span.
	Service   string
	Operation string
	// Start is when the work started, Duration how long it took.
	Start    time.Time
	Duration time.Duration
}

// Jaeger is a client of a Jaeger query server.
type Jaeger struct {
	release, base string
	client        *http.Client
}

// NewJaeger returns a client of the server of a release at base, a URL without the /api part. A nil client is http.DefaultClient.
func NewJaeger(release, base string, client *http.Client) *Jaeger {
	if client == nil {
		client = http.DefaultClient
	}
	return &Jaeger{release, strings.TrimRight(base, "/"), client}
}

// Services returns the names of the services that have sent spans.
func (j *Jaeger) Services(ctx context.Context) ([]string, error) {
	var names []string
	if err := j.get(ctx, "asking Jaeger for its services", "/api/services", nil, &names); err != nil {
		return nil, err
	}
	return names, nil
}

// Traces returns at most limit traces that involve service and started after since. It is not an error if there are none.
func (j *Jaeger) Traces(ctx context.Context, service string, since time.Time, limit int) ([]Trace, error) {
	query := url.Values{"service": {service}, "limit": {strconv.Itoa(limit)}}
	if !since.IsZero() {
		query.Set("start", strconv.FormatInt(since.UnixMicro(), 10))
	}
	var found []jaegerTrace
	if err := j.get(ctx, "asking Jaeger for traces of "+service, "/api/traces", query, &found); err != nil {
		return nil, err
	}
	traces := make([]Trace, len(found))
	for i, t := range found {
		traces[i] = t.trace()
	}
	return traces, nil
}

// Trace returns the spans that have arrived so far of the trace with a hexadecimal id. It is an error if none has arrived.
func (j *Jaeger) Trace(ctx context.Context, id string) (Trace, error) {
	var found []jaegerTrace
	doing := "asking Jaeger for trace " + id
	if err := j.get(ctx, doing, "/api/traces/"+url.PathEscape(id), nil, &found); err != nil {
		return Trace{}, err
	}
	if len(found) == 0 {
		return Trace{}, fmt.Errorf("%s: no span has arrived", doing)
	}
	return found[0].trace(), nil
}

// jaegerTrace is a trace in the format of Jaeger's HTTP API, with times in microseconds.
type jaegerTrace struct {
	TraceID string `json:"traceID"`
	Spans   []struct {
		SpanID        string `json:"spanID"`
		OperationName string `json:"operationName"`
		ProcessID     string `json:"processID"`
		StartTime     int64  `json:"startTime"`
		Duration      int64  `json:"duration"`
		References    []struct {
			RefType string `json:"refType"`
			SpanID  string `json:"spanID"`
		} `json:"references"`
	} `json:"spans"`
	Processes map[string]struct {
		ServiceName string `json:"serviceName"`
	} `json:"processes"`
}

func (t jaegerTrace) trace() Trace {
	out := Trace{ID: t.TraceID, Spans: make([]Span, len(t.Spans))}
	for i, s := range t.Spans {
		span := Span{ID: s.SpanID, Service: t.Processes[s.ProcessID].ServiceName, Operation: s.OperationName,
			Start: time.UnixMicro(s.StartTime), Duration: time.Duration(s.Duration) * time.Microsecond}
		for _, r := range s.References {
			if r.RefType == "CHILD_OF" {
				span.ParentID = r.SpanID
				break
			}
		}
		out.Spans[i] = span
	}
	return out
}

// largestAnswer limits how much of a response is read, in case the server is not Jaeger.
const largestAnswer = 64 << 20

// get reads the data part of one response into data.
func (j *Jaeger) get(ctx context.Context, doing, path string, query url.Values, data any) error {
	if err := j.fetch(ctx, path, query, data); err != nil {
		return explain(doing, j.release, j.base, err)
	}
	return nil
}

func (j *Jaeger) fetch(ctx context.Context, path string, query url.Values, data any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, j.base+path+"?"+query.Encode(), nil)
	if err != nil {
		return err
	}
	resp, err := j.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, largestAnswer))
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return &statusError{resp.StatusCode, string(body)}
	}
	answer := struct {
		Data   any `json:"data"`
		Errors []struct {
			Msg string `json:"msg"`
		} `json:"errors"`
	}{Data: data}
	if err := json.Unmarshal(body, &answer); err != nil {
		return fmt.Errorf("%w: %w", errMalformed, err)
	}
	if len(answer.Errors) > 0 {
		return errors.New(answer.Errors[0].Msg)
	}
	return nil
}
