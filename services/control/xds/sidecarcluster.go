package xds

import (
	"math"
	"strings"
	"time"

	cluster "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	codec "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/upstream_codec/v3"
	hcm "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	http "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/grpc-sandbox/sandbox/services/control/compile"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

const maxUint32 = math.MaxUint32

func joined(list []string) string { return strings.Join(list, ",") }

// sidecarCluster adds to a cluster what Envoy has in addition to grpc clients, and removes the limits that Envoy has by default.
func sidecarCluster(c *cluster.Cluster, in Input, s compile.Service, m method) {
	conn := connectionOf(in.Policy, s.Name)
	limits := limitsOf(m.breaker.GetMaxConcurrent())
	limits.MaxRetries = unlimited()
	if b := conn.GetRetryBudget(); b != nil && !b.GetDisabled() {
		limits.RetryBudget, limits.MaxRetries = retryBudget(b), nil
	}
	c.CircuitBreakers = &cluster.CircuitBreakers{Thresholds: []*cluster.CircuitBreakers_Thresholds{limits}}
	if o := c.GetOutlierDetection(); o != nil {
		failures := uint32(defaultConsecutiveFailures)
		if e := conn.GetOutlierEjection(); e.ConsecutiveFailures != nil {
			failures = e.GetConsecutiveFailures()
		}
		o.Consecutive_5Xx, o.EnforcingConsecutive_5Xx = wrapperspb.UInt32(failures), wrapperspb.UInt32(100)
	}
	if in.TrustDomain != "" {
		c.TransportSocket = tlsSocket(upstreamTLS(in.TrustDomain, s))
	}
	startSlowly(c, conn.GetSlowStart())
	var filters []*hcm.HttpFilter
	if a := admissionControl(m); a != nil {
		filters = []*hcm.HttpFilter{filter("breaker", a), filter("codec", &codec.UpstreamCodec{})}
	}
	c.TypedExtensionProtocolOptions = httpOptions(http2Options(conn.GetTuning()), filters)
}

// limitsOf returns a limit of concurrent calls, or none for 0, and no other limits.
func limitsOf(calls uint32) *cluster.CircuitBreakers_Thresholds {
	if calls == 0 {
		calls = maxUint32
	}
	return &cluster.CircuitBreakers_Thresholds{MaxConnections: unlimited(), MaxPendingRequests: unlimited(), MaxRequests: wrapperspb.UInt32(calls)}
}

// The defaults of policy.v1.RetryBudget.
const (
	defaultMaxTokens  = 10
	defaultTokenRatio = 0.1
)

func retryBudget(b *policyv1.RetryBudget) *cluster.CircuitBreakers_Thresholds_RetryBudget {
	tokens, ratio := uint32(defaultMaxTokens), defaultTokenRatio
	if b.MaxTokens != nil {
		tokens = b.GetMaxTokens()
	}
	if b.TokenRatio != nil {
		ratio = b.GetTokenRatio()
	}
	return &cluster.CircuitBreakers_Thresholds_RetryBudget{BudgetPercent: &typev3.Percent{Value: min(100, ratio*100)}, MinRetryConcurrency: wrapperspb.UInt32(max(1, tokens/2))}
}

// The default of policy.v1.SlowStart.
const defaultMinPercent = 10

// startSlowly gives new replicas a growing share of the calls.
func startSlowly(c *cluster.Cluster, s *policyv1.SlowStart) {
	if s.GetWindow().AsDuration() == 0 {
		return
	}
	least := uint32(defaultMinPercent)
	if s.MinPercent != nil {
		least = s.GetMinPercent()
	}
	config := &cluster.Cluster_SlowStartConfig{SlowStartWindow: s.GetWindow(), MinWeightPercent: &typev3.Percent{Value: float64(least)}}
	if l := c.GetLeastRequestLbConfig(); l != nil {
		l.SlowStartConfig = config
		return
	}
	c.LbConfig = &cluster.Cluster_RoundRobinLbConfig_{RoundRobinLbConfig: &cluster.Cluster_RoundRobinLbConfig{SlowStartConfig: config}}
}

// The limits of HTTP/2, and the default of policy.v1.Tuning.
const (
	smallestWindow          = 65535
	defaultKeepaliveTimeout = 3 * time.Second
)

func http2Options(t *policyv1.Tuning) *core.Http2ProtocolOptions {
	o := &core.Http2ProtocolOptions{}
	if t != nil && t.StreamWindowBytes != nil {
		o.InitialStreamWindowSize = wrapperspb.UInt32(max(smallestWindow, t.GetStreamWindowBytes()))
	}
	if t != nil && t.ConnectionWindowBytes != nil {
		o.InitialConnectionWindowSize = wrapperspb.UInt32(max(smallestWindow, t.GetConnectionWindowBytes()))
	}
	if t.GetKeepaliveTime() != nil {
		o.ConnectionKeepalive = &core.KeepaliveSettings{Interval: t.GetKeepaliveTime(), Timeout: durationpb.New(orDefault(t.GetKeepaliveTimeout(), defaultKeepaliveTimeout))}
	}
	return o
}

// httpOptions returns the options of connections, which use HTTP/2, with the filters of their calls.
func httpOptions(o *core.Http2ProtocolOptions, filters []*hcm.HttpFilter) map[string]*anypb.Any {
	return map[string]*anypb.Any{"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": packed(&http.HttpProtocolOptions{HttpFilters: filters,
		UpstreamProtocolOptions: &http.HttpProtocolOptions_ExplicitHttpConfig_{ExplicitHttpConfig: &http.HttpProtocolOptions_ExplicitHttpConfig{
			ProtocolConfig: &http.HttpProtocolOptions_ExplicitHttpConfig_Http2ProtocolOptions{Http2ProtocolOptions: o}}}})}
}
