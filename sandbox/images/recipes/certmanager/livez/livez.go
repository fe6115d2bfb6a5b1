// Package livez answers the liveness probe of cert-manager's controller.
package livez

import (
	"net/http"

	"github.com/cert-manager/cert-manager/pkg/healthz"
	apihealthz "k8s.io/apiserver/pkg/server/healthz"
	"k8s.io/utils/clock"
)

// Handler serves /livez with upstream's clock check. cert-manager plans renewals by timers, which stand still while a laptop sleeps. When the
// system's clock has gone more than five minutes further than the timers' since Handler was called, the check fails, the kubelet restarts the
// container, and everything is planned again by the present time.
func Handler(c clock.Clock) http.Handler {
	mux := http.NewServeMux()
	apihealthz.InstallLivezHandler(mux, healthz.NewClockHealthAdaptor(c))
	return mux
}
