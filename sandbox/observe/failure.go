package observe

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"syscall"

	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
)

// ErrNoData is returned where a question has an answer, but nothing has been measured yet.
var ErrNoData = errors.New("no data yet")

// statusError is an HTTP answer that is not the one hoped for.
type statusError struct {
	code int
	body string
}

func (e *statusError) Error() string {
	said := strings.Join(strings.Fields(e.body), " ")
	if len(said) > 200 {
		said = said[:200] + "…"
	}
	if said == "" {
		return http.StatusText(e.code)
	}
	return http.StatusText(e.code) + ": " + said
}

// errMalformed marks an answer that cannot be read.
var errMalformed = errors.New("the answer is malformed")

// failure is what could not be done, why, and what mends it.
type failure struct {
	doing  string
	err    error
	remedy string
}

func (f *failure) Error() string { return f.doing + ": " + f.err.Error() + "\ntry: " + f.remedy }
func (f *failure) Unwrap() error { return f.err }

// explain adds the remedy that fits the cause. server is the release that should have answered, at is its address.
func explain(doing, server, at string, err error) error {
	f := &failure{doing: doing, err: err}
	var status *statusError
	var api *v1.Error
	var timeout net.Error
	switch {
	case errors.Is(err, ErrNoData):
		f.remedy = "wait for two scrapes, then again; or sandbox doctor"
	case errors.Is(err, context.Canceled):
		return &failure{doing: doing, err: err, remedy: "again; the caller gave up before " + server + " answered"}
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		f.remedy = "sandbox status, to see whether " + server + " is ready"
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ECONNRESET):
		f.remedy = "sandbox status: nothing listens at " + at + ", so " + server + " or the way to it is down"
	case errors.Is(err, errMalformed):
		f.remedy = malformedRemedy(server, at)
	case errors.As(err, &status):
		f.remedy = statusRemedy(server, at, status.code)
	case errors.As(err, &api):
		f.remedy = apiRemedy(server, at, api)
	default:
		f.remedy = "sandbox doctor"
	}
	return f
}

func statusRemedy(server, at string, code int) string {
	switch {
	case code >= 500:
		return "again in a few seconds, " + server + " may be starting; else sandbox logs " + server
	default:
		return malformedRemedy(server, at)
	}
}

// apiRemedy covers the Prometheus client's own sorts of errors.
func apiRemedy(server, at string, err *v1.Error) string {
	switch err.Type {
	case v1.ErrServer:
		return statusRemedy(server, at, http.StatusInternalServerError)
	case v1.ErrTimeout, v1.ErrCanceled:
		return "a narrower query, or sandbox status, to see whether " + server + " is short of CPU"
	case v1.ErrBadData, v1.ErrExec:
		return "correct the query; try it in Prometheus' own page with sandbox open prometheus"
	default:
		return malformedRemedy(server, at)
	}
}

func malformedRemedy(server, at string) string {
	return "sandbox status: what answers at " + at + " does not speak like " + server
}
