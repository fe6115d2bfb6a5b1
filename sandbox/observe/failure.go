package observe

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"syscall"

	v1 "github.com/prometheus/client_golang/api/prometheus/v1"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
)

// ErrNoData means that a query is valid but nothing has been measured yet.
var ErrNoData = errors.New("no data yet")

// statusError is an HTTP response with an unexpected status.
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

// errMalformed means that a response cannot be read.
var errMalformed = errors.New("the answer is malformed")

// explain wraps err with what was being done, and adds the remedy that fits the cause. server is the release that should have answered, and at is its
// address.
func explain(doing, server, at string, err error) error {
	return remedy.Errorf(remedyFor(server, at, err), "%s: %w", doing, err)
}

func remedyFor(server, at string, err error) remedy.Remedy {
	var status *statusError
	var api *v1.Error
	var timeout net.Error
	switch {
	case errors.Is(err, ErrNoData):
		return remedy.Advicef("wait for two scrapes and retry; or %s", remedy.Command("doctor"))
	case errors.Is(err, context.Canceled):
		return remedy.Advicef("retry; the caller gave up before %s answered", server)
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return remedy.Advicef("%s, to see whether %s is ready", remedy.Command("status"), server)
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ECONNRESET):
		return remedy.Advicef("%s: nothing listens at %s, so %s or the connection to it is down", remedy.Command("status"), at, server)
	case errors.Is(err, errMalformed):
		return malformedRemedy(server, at)
	case errors.As(err, &status):
		return statusRemedy(server, at, status.code)
	case errors.As(err, &api):
		return apiRemedy(server, at, api)
	}
	return remedy.Command("doctor")
}

func statusRemedy(server, at string, code int) remedy.Remedy {
	if code >= http.StatusInternalServerError {
		return remedy.Advicef("retry in a few seconds, %s may be starting; otherwise %s", server, remedy.Command("logs", server))
	}
	return malformedRemedy(server, at)
}

// apiRemedy covers the error types of the Prometheus client.
func apiRemedy(server, at string, err *v1.Error) remedy.Remedy {
	switch err.Type {
	case v1.ErrServer:
		return statusRemedy(server, at, http.StatusInternalServerError)
	case v1.ErrTimeout, v1.ErrCanceled:
		return remedy.Advicef("a narrower query, or %s, to see whether %s is short of CPU", remedy.Command("status"), server)
	case v1.ErrBadData, v1.ErrExec:
		return remedy.Advicef("correct the query; try it in Prometheus' own page with %s", remedy.Command("open", server))
	default:
		return malformedRemedy(server, at)
	}
}

func malformedRemedy(server, at string) remedy.Remedy {
	return remedy.Advicef("%s: what answers at %s does not speak like %s", remedy.Command("status"), at, server)
}
