package doctor

import (
	"context"
	"fmt"
	"slices"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
)

const platform = "platform"

func platformChecks() []Check {
	return []Check{
		{ID: "targets-up", Category: platform, Run: targetsUp},
		{ID: "loadgen-calling", Category: platform, Run: loadgenCalling},
		{ID: "traces-services", Category: platform, Run: tracesServices},
		{ID: "traces-arriving", Category: platform, Run: tracesArriving},
		{ID: "breakers-closed", Category: platform, Run: breakersClosed},
	}
}

func targetsUp(ctx context.Context, w Host) Result {
	if w.Cluster == nil || w.Cluster.Targets == nil {
		return noCluster(w)
	}
	up, total, down, err := w.Cluster.Targets(ctx)
	switch {
	case err != nil:
		return fail(remedy.Command("logs", w.Cluster.Parts.Metrics), "Prometheus does not list its targets: %v", err)
	case total == 0:
		return fail(remedy.Advicef("%s, so that pods carry the labels Prometheus looks for", remedy.Command("up")), "Prometheus has no targets")
	case up < total:
		return fail(remedy.Advicef("%s, and %s of the first", remedy.Command("status"), remedy.Command("logs")),
			"%d of %s up; down: %s", up, count(total, "target"), some(down))
	}
	return pass("%s up", count(total, "target"))
}

func loadgenCalling(ctx context.Context, w Host) Result {
	if w.Cluster == nil || w.Cluster.CallRate == nil {
		return noCluster(w)
	}
	rate, err := w.Cluster.CallRate(ctx)
	if err != nil {
		return fail(remedy.Command("logs", w.Cluster.Parts.Metrics), "the rate of calls cannot be read: %v", err)
	}
	// Also true for NaN.
	if !(rate > 0) {
		return fail(remedy.Command("logs", w.Cluster.Parts.Generator), "%s is not calling", w.Cluster.Parts.Generator)
	}
	return pass("%s makes %.0f calls a second", w.Cluster.Parts.Generator, rate)
}

func tracesServices(ctx context.Context, w Host) Result {
	if w.Cluster == nil || w.Cluster.Services == nil || w.Cluster.Called == nil {
		return noCluster(w)
	}
	services, err := w.Cluster.Services(ctx)
	if err != nil {
		return fail(remedy.Command("logs", w.Cluster.Parts.Traces), "Jaeger does not list its services: %v", err)
	}
	called, err := w.Cluster.Called(ctx)
	if err != nil {
		return fail(remedy.Command("logs", w.Cluster.Parts.Metrics), "which services are called cannot be read: %v", err)
	}
	var silent []string
	for _, s := range append([]string{w.Cluster.Parts.Generator}, called...) {
		if !slices.Contains(services, s) {
			silent = append(silent, s)
		}
	}
	if len(silent) > 0 {
		return warn(remedy.Advicef("%s: it says why spans cannot be sent", remedy.Command("logs", silent[0])),
			"Jaeger knows %s, and no span of %s", count(len(services), "service"), some(silent))
	}
	return pass("Jaeger knows %s, and all that call or are called now", count(len(services), "service"))
}

func tracesArriving(ctx context.Context, w Host) Result {
	if w.Cluster == nil || w.Cluster.Traces == nil {
		return noCluster(w)
	}
	n, err := w.Cluster.Traces(ctx, w.Cluster.Parts.Generator)
	if err != nil {
		return fail(remedy.Command("logs", w.Cluster.Parts.Traces), "Jaeger does not show traces: %v", err)
	}
	if n == 0 {
		return warn(remedy.Advicef("%s, and %s again in 10 seconds", remedy.Command("logs", w.Cluster.Parts.Generator), remedy.Command("doctor")),
			"no trace of %s has arrived recently", w.Cluster.Parts.Generator)
	}
	return pass("%s of %s recently", count(n, "trace"), w.Cluster.Parts.Generator)
}

func breakersClosed(ctx context.Context, w Host) Result {
	if w.Cluster == nil || w.Cluster.Breakers == nil {
		return noCluster(w)
	}
	breakers, err := w.Cluster.Breakers(ctx)
	if err != nil {
		return fail(remedy.Command("logs", w.Cluster.Parts.Metrics), "the breakers cannot be read: %v", err)
	}
	// The w.Cluster.Parts.Generator calls all the time, and every call goes through a breaker.
	if len(breakers) == 0 {
		return warn(remedy.Advicef("%s, and %s again in 10 seconds", remedy.Command("logs", w.Cluster.Parts.Metrics), remedy.Command("doctor")),
			"Prometheus knows of no breaker: whether they are closed is not known")
	}
	var tripped []string
	for _, b := range breakers {
		if b.State != telemetry.Closed {
			tripped = append(tripped, fmt.Sprintf("%s → %s %s is %s", b.Caller, b.Callee, b.Method, b.State))
		}
	}
	if len(tripped) > 0 {
		return warn(remedy.Advicef("%s; if no scenario is running: %s of the callee", remedy.Command("watch"), remedy.Command("logs")), "%s", some(tripped))
	}
	return pass("%s, all closed", count(len(breakers), "breaker"))
}
