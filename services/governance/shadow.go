package governance

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/grpc-sandbox/sandbox/services/governance/fault"
	"github.com/grpc-sandbox/sandbox/services/governance/internal/oncemap"
)

// KindShadow is the kind of events about what rules in shadow mode would have done: calls that would have been refused, or into which a fault would have
// been injected, and changes of state of breakers and replicas in shadow mode, which have the labels from and to, or state.
const KindShadow = "shadow"

// shadowTimeout is the reason of a call that took longer than the deadline of a rule in shadow mode. It is no reason of a refusal, because such
// a deadline that is enforced ends the call with the code of this name.
const shadowTimeout = "DEADLINE_EXCEEDED"

// shadowReport counts, logs and reports the calls of a method that rules in shadow mode would have refused, or into which faults in shadow mode would
// have been injected. Log records and events of one reason or fault come at most every throttledEvery.
type shadowReport struct {
	// callee is empty for a served method.
	side, callee, method string
	metrics              *Metrics
	// events may be nil.
	events  *Events
	log     *slog.Logger
	reasons oncemap.Map[string, *shadowCount]
	faults  oncemap.Map[shadowFault, *shadowCount]
}

// shadowFault identifies a fault in metrics.
type shadowFault struct{ name, kind string }

type shadowCount struct {
	count prometheus.Counter
	pace  *throttledLog
}

// refused reports a call that would have been refused.
func (r *shadowReport) refused(ctx context.Context, reason string) {
	one := r.reasons.Of(reason, func(reason string) *shadowCount {
		return &shadowCount{r.metrics.shadowed.WithLabelValues(r.method, reason, r.side), newThrottledLog(r.log)}
	})
	one.count.Inc()
	if more, allowed := one.pace.allow(); allowed {
		r.log.InfoContext(ctx, "a rule in shadow mode would have refused a call", "side", r.side, "method", r.method, "reason", reason, "since_the_last", more)
		r.event("would have refused a call: "+reason, more, map[string]string{"reason": reason})
	}
}

// injected reports a call into which a fault would have been injected.
func (r *shadowReport) injected(ctx context.Context, f *fault.Fault) {
	one := r.faults.Of(shadowFault{f.Name, f.Kind}, func(of shadowFault) *shadowCount {
		return &shadowCount{r.metrics.shadowFaults.WithLabelValues(r.side, r.method, of.name, of.kind), newThrottledLog(r.log)}
	})
	one.count.Inc()
	if more, allowed := one.pace.allow(); allowed {
		r.log.InfoContext(ctx, "a fault in shadow mode would have been injected", "side", r.side, "method", r.method, "fault", f.Name, "kind", f.Kind,
			"since_the_last", more)
		r.event(fmt.Sprintf("would have injected the fault %s: %s", f.Name, f.Kind), more, map[string]string{"fault": f.Name, "kind": f.Kind})
	}
}

// event adds an event about a call and about more calls since the last event.
func (r *shadowReport) event(detail string, more int64, labels map[string]string) {
	if r.events == nil {
		return
	}
	labels["side"], labels["method"] = r.side, r.method
	subject := r.method
	if r.callee != "" {
		labels["callee"], subject = r.callee, r.callee+"/"+r.method
	}
	if more > 0 {
		detail += fmt.Sprintf(", and %d others since the last event", more)
	}
	r.events.Add(Event{Kind: KindShadow, Subject: subject, Detail: detail, Labels: labels})
}
