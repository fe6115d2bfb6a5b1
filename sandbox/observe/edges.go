package observe

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
)

// notFailures are the gRPC codes that do not count as errors of the callee: success, three codes that are about the request rather than the
// service, and a caller that cancelled. A deadline that passed counts as an error.
const notFailures = "OK|NotFound|InvalidArgument|AlreadyExists|Canceled"

// The series from which an edge is computed. service is the caller: scraping sets it from the pod's app.kubernetes.io/name.
const (
	edgeLabels = "service, callee, grpc_service, grpc_method"
	// A client without a callee does not make calls of the platform.
	known = `service!="", callee!=""`
)

type edgeQuery struct {
	about string
	// query takes the window as its first argument.
	query string
	set   func(e *telemetry.Edge, v float64)
}

// edgeQueries are the fields of an edge. The first one determines which edges exist.
var edgeQueries = []edgeQuery{
	{"call rates", "sum by (" + edgeLabels + ") (rate(grpc_client_handled_total{" + known + "}[%[1]s]))",
		func(e *telemetry.Edge, v float64) { e.Rate = v }},
	{"failure rates", "sum by (" + edgeLabels + ") (rate(grpc_client_handled_total{" + known + `, grpc_code!~"` + notFailures + `"}[%[1]s]))`,
		func(e *telemetry.Edge, v float64) {
			if e.Rate > 0 {
				e.Errors = min(v/e.Rate, 1)
			}
		}},
	{"refusal rates", refusedQuery("breaker_rejected") + " + " + refusedQuery("concurrency_rejected"),
		func(e *telemetry.Edge, v float64) {
			if e.Rate > 0 {
				e.Refused = min(v/e.Rate, 1)
				// Until here Errors includes Refused.
				e.Errors = max(0, e.Errors-e.Refused)
			}
		}},
	{"median latencies", quantileQuery("0.5"), func(e *telemetry.Edge, v float64) { e.P50 = seconds(v) }},
	{"99th percentile latencies", quantileQuery("0.99"), func(e *telemetry.Edge, v float64) { e.P99 = seconds(v) }},
}

// refusedQuery counts calls that did not leave their caller.
func refusedQuery(name string) string {
	return "sum by (service, callee, method) (rate(sandbox_" + name + "_total{" + known + "}[%[1]s]))"
}

func quantileQuery(q string) string {
	return "histogram_quantile(" + q + ", sum by (le, " + edgeLabels + ") (rate(grpc_client_handling_seconds_bucket{" + known + "}[%[1]s])))"
}

type edgeKey struct{ caller, callee, service, method model.LabelValue }

// Edges returns every method as its callers saw it during the last window, which should contain at least two scrapes. The method is written
// package.Service/Method. A value that was not measured is zero.
func (p *Prometheus) Edges(ctx context.Context, window time.Duration) ([]telemetry.Edge, error) {
	if window <= 0 {
		return nil, remedy.Errorf(remedy.Advice("a window of 10s"), "querying Prometheus for call rates: a window of %s contains no scrapes", window)
	}
	edges := map[edgeKey]*telemetry.Edge{}
	for i, q := range edgeQueries {
		series, err := p.vector(ctx, "querying Prometheus for "+q.about, fmt.Sprintf(q.query, model.Duration(window)))
		if err != nil {
			return nil, err
		}
		for _, s := range series {
			v := float64(s.Value)
			// A quantile of no calls is not a number.
			if math.IsNaN(v) || math.IsInf(v, 0) {
				v = 0
			}
			k := edgeKey{s.Metric["service"], s.Metric["callee"], s.Metric["grpc_service"], s.Metric["grpc_method"]}
			// Write the method as our own metrics do.
			if service, method, ok := strings.Cut(string(s.Metric["method"]), "/"); ok {
				k.service, k.method = model.LabelValue(service), model.LabelValue(method)
			}
			if i == 0 {
				edges[k] = &telemetry.Edge{Caller: string(k.caller), Callee: string(k.callee),
					Method: string(k.service) + "/" + string(k.method)}
			}
			if e := edges[k]; e != nil {
				q.set(e, v)
			}
		}
	}
	list := make([]telemetry.Edge, 0, len(edges))
	for _, e := range edges {
		list = append(list, *e)
	}
	slices.SortFunc(list, func(a, b telemetry.Edge) int {
		return cmp.Or(cmp.Compare(a.Caller, b.Caller), cmp.Compare(a.Callee, b.Callee), cmp.Compare(a.Method, b.Method))
	})
	return list, nil
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
