package governance

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/grpc-sandbox/sandbox/services/governance/internal/oncemap"
)

// KindShadow is the kind of events about calls that rules in shadow mode would have refused, and about transitions of breakers in shadow mode, which
// have the labels from and to.
const KindShadow = "shadow"

// shadowTimeout is the reason of a call that took longer than the deadline of a rule in shadow mode. It is no reason of a refusal, because such
// a deadline that is enforced ends the call with the code of this name.
const shadowTimeout = "DEADLINE_EXCEEDED"

// shadowReport counts, logs and reports the calls of a method that rules in shadow mode would have refused. Log records and events of one reason come
// at most every throttledEvery.
type shadowReport struct {
	// callee is empty for a served method.
	side, callee, method string
	metrics              *Metrics
	// events may be nil.
	events  *Events
	log     *slog.Logger
	reasons oncemap.Map[string, *shadowReason]
}

type shadowReason struct {
	count prometheus.Counter
	pace  *throttledLog
}

// refused reports one call.
func (r *shadowReport) refused(ctx context.Context, reason string) {
	one := r.reasons.Of(reason, func(reason string) *shadowReason {
		return &shadowReason{r.metrics.shadowed.WithLabelValues(r.method, reason, r.side), newThrottledLog(r.log)}
	})
	one.count.Inc()
	more, allowed := one.pace.allow()
	if !allowed {
		return
	}
	r.log.InfoContext(ctx, "a rule in shadow mode would have refused a call", "side", r.side, "method", r.method, "reason", reason, "since_the_last", more)
	if r.events == nil {
		return
	}
	labels := map[string]string{"side": r.side, "method": r.method, "reason": reason}
	subject := r.method
	if r.callee != "" {
		labels["callee"], subject = r.callee, r.callee+"/"+r.method
	}
	detail := "would have refused a call: " + reason
	if more > 0 {
		detail += fmt.Sprintf(", and %d others since the last event", more)
	}
	r.events.Add(Event{Kind: KindShadow, Subject: subject, Detail: detail, Labels: labels})
}
