package doctor

import (
	"context"
	"fmt"
	"slices"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
)

const platform = "platform"

// generator is the service whose calls and traces show that the platform is alive.
const generator = "loadgen"

func platformChecks() []Check {
	return []Check{
		{"targets-up", platform, "what is not scraped is not seen", targetsUp},
		{"loadgen-calling", platform, "without calls there is nothing to observe", loadgenCalling},
		{"traces-services", platform, "services send their spans to Jaeger", tracesServices},
		{"traces-arriving", platform, "new calls leave new traces", tracesArriving},
		{"breakers-closed", platform, "at rest every breaker is closed", breakersClosed},
	}
}

func targetsUp(ctx context.Context, w World) Result {
	if w.Cluster == nil || w.Cluster.Targets == nil {
		return noCluster(w)
	}
	up, total, down, err := w.Cluster.Targets(ctx)
	switch {
	case err != nil:
		return fail(w.Command("logs prometheus"), "Prometheus does not tell its targets: %v", err)
	case total == 0:
		return fail(w.Command("up")+", so that pods carry the labels Prometheus looks for", "Prometheus has no targets")
	case up < total:
		return fail(w.Command("status")+", and "+w.Command("logs")+" of the first", "%d of %s up; down: %s", up, count(total, "target"), some(down))
	}
	return pass("%s up", count(total, "target"))
}

func loadgenCalling(ctx context.Context, w World) Result {
	if w.Cluster == nil || w.Cluster.CallRate == nil {
		return noCluster(w)
	}
	rate, err := w.Cluster.CallRate(ctx)
	if err != nil {
		return fail(w.Command("logs prometheus"), "the rate of calls cannot be read: %v", err)
	}
	if !(rate > 0) { // NaN as well
		return fail(w.Command("logs "+generator), "%s is not calling", generator)
	}
	return pass("%s makes %.0f calls a second", generator, rate)
}

func tracesServices(ctx context.Context, w World) Result {
	if w.Cluster == nil || w.Cluster.Services == nil {
		return noCluster(w)
	}
	services, err := w.Cluster.Services(ctx)
	if err != nil {
		return fail(w.Command("logs jaeger"), "Jaeger does not tell its services: %v", err)
	}
	if !slices.Contains(services, generator) {
		return warn(w.Command("logs "+generator)+": it says why spans cannot be sent", "Jaeger knows %s, and %s is not among them", count(len(services), "service"), generator)
	}
	return pass("Jaeger knows %s", count(len(services), "service"))
}

func tracesArriving(ctx context.Context, w World) Result {
	if w.Cluster == nil || w.Cluster.Traces == nil {
		return noCluster(w)
	}
	n, err := w.Cluster.Traces(ctx, generator)
	if err != nil {
		return fail(w.Command("logs jaeger"), "Jaeger does not show traces: %v", err)
	}
	if n == 0 {
		return warn(w.Command("logs "+generator)+", and "+w.Command("doctor")+" again in 10 seconds", "no trace of %s has arrived of late", generator)
	}
	return pass("%s of %s of late", count(n, "trace"), generator)
}

func breakersClosed(ctx context.Context, w World) Result {
	if w.Cluster == nil || w.Cluster.Breakers == nil {
		return noCluster(w)
	}
	breakers, err := w.Cluster.Breakers(ctx)
	if err != nil {
		return fail(w.Command("logs prometheus"), "the breakers cannot be read: %v", err)
	}
	var tripped []string
	for _, b := range breakers {
		if b.State != telemetry.Closed {
			tripped = append(tripped, fmt.Sprintf("%s → %s %s is %s", b.Caller, b.Callee, b.Method, b.State))
		}
	}
	if len(tripped) > 0 {
		return warn(w.Command("watch")+"; if no scenario is running: "+w.Command("logs")+" of the callee", "%s", some(tripped))
	}
	return pass("%s, all closed", count(len(breakers), "breaker"))
}
