package gateway

import (
	"context"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/grpc-sandbox/sandbox/services/gateway/nginx"
)

// metrics are those of the gateway itself.
type metrics struct {
	requests   *prometheus.CounterVec
	unreadable prometheus.Counter

	mu       sync.Mutex
	partners map[string]bool
}

// maxPartners bounds the series: the partners after that are counted together.
const maxPartners = 200

func newMetrics(r prometheus.Registerer, server *nginx.Server) (*metrics, error) {
	m := &metrics{partners: map[string]bool{},
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "sandbox_gateway_requests_total",
			Help: "Requests of partners, by gRPC code; reason is empty unless the gateway refused the request."}, []string{"partner", "form", "code", "reason"}),
		unreadable: prometheus.NewCounter(prometheus.CounterOpts{Name: "sandbox_gateway_unreadable_log_lines_total", Help: "Lines of the access log that could not be read."})}
	connections := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "sandbox_gateway_connections", Help: "Connections of nginx."}, func() float64 {
		n, err := server.Connections(context.Background())
		if err != nil {
			return -1
		}
		return float64(n)
	})
	for _, c := range []prometheus.Collector{m.requests, m.unreadable, connections} {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// partner returns the label of a partner.
func (m *metrics) partner(name string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.partners[name] {
		if len(m.partners) >= maxPartners {
			return "other"
		}
		m.partners[name] = true
	}
	return name
}
