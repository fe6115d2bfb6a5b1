package governance

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/grpc-sandbox/sandbox/services/governance/policy"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// serviceConfig is the service config of grpc-go: load balancing, retries and their budget. The field names are those of gRPC.
type serviceConfig struct {
	LoadBalancing []map[string]any `json:"loadBalancingConfig"`
	Methods       []methodConfig   `json:"methodConfig,omitempty"`
	Throttling    *retryThrottling `json:"retryThrottling,omitempty"`
	Health        *healthCheck     `json:"healthCheckConfig,omitempty"`
}

// healthCheck makes gRPC watch the health of each replica. The empty service name is that of the whole server.
type healthCheck struct {
	Service string `json:"serviceName"`
}

type methodConfig struct {
	Names []methodName `json:"name"`
	Retry retryPolicy  `json:"retryPolicy"`
}

type methodName struct {
	Service string `json:"service"`
	Method  string `json:"method"`
}

type retryPolicy struct {
	MaxAttempts       uint32   `json:"maxAttempts"`
	InitialBackoff    string   `json:"initialBackoff"`
	MaxBackoff        string   `json:"maxBackoff"`
	BackoffMultiplier float64  `json:"backoffMultiplier"`
	Codes             []string `json:"retryableStatusCodes"`
}

type retryThrottling struct {
	MaxTokens  float64 `json:"maxTokens"`
	TokenRatio float64 `json:"tokenRatio"`
}

// serviceConfigFor converts a policy to the service config of a connection. gRPC repeats streams only, because the interceptor repeats unary calls.
// It has no patterns, so they are matched against the streaming methods of the protos that are linked into this program.
func serviceConfigFor(rules *policy.Rules, callee string, streams []string) string {
	conn := rules.Connection(callee)
	config := serviceConfig{LoadBalancing: []map[string]any{balancerConfig(conn.GetLeastRequest())}}
	at := map[*policyv1.Retry]int{}
	for _, method := range streams {
		retry := rules.Client(callee, method).Retry
		if retry == nil {
			continue
		}
		if _, known := at[retry]; !known {
			at[retry] = len(config.Methods)
			config.Methods = append(config.Methods, methodConfig{Retry: retryPolicyFor(retry)})
		}
		m := &config.Methods[at[retry]]
		service, name, _ := strings.Cut(method, "/")
		m.Names = append(m.Names, methodName{service, name})
	}
	if len(config.Methods) > 0 && !conn.GetRetryBudget().GetDisabled() {
		tokens, ratio := budgetOf(conn)
		config.Throttling = &retryThrottling{tokens, ratio}
	}
	if !conn.GetHealthCheck().GetDisabled() {
		config.Health = &healthCheck{}
	}
	text, err := json.Marshal(config)
	if err != nil {
		// The config has only strings and numbers that check has accepted.
		panic(err)
	}
	return string(text)
}

func retryPolicyFor(r *policyv1.Retry) retryPolicy {
	initial, longest, factor := backoffOf(r)
	return retryPolicy{MaxAttempts: r.GetMaxAttempts(), BackoffMultiplier: factor, Codes: retriableCodes(r),
		InitialBackoff: seconds(initial), MaxBackoff: seconds(longest)}
}

func backoffOf(r *policyv1.Retry) (initial, longest time.Duration, factor float64) {
	return durationOr(r.GetInitialBackoff(), 50*time.Millisecond), durationOr(r.GetMaxBackoff(), time.Second), cmp.Or(r.GetMultiplier(), 2)
}

// retriableByDefault are the codes that are retried if the policy names none.
var retriableByDefault = []string{"UNAVAILABLE"}

func retriableCodes(r *policyv1.Retry) []string {
	if len(r.GetCodes()) == 0 {
		return retriableByDefault
	}
	return r.GetCodes()
}

// budgetOf returns the budget of a connection. Without one there are more tokens than can be spent.
func budgetOf(c *policyv1.Connection) (tokens, ratio float64) {
	if c.GetRetryBudget().GetDisabled() {
		return math.MaxFloat64, 0
	}
	tokens, ratio = float64(c.GetRetryBudget().GetMaxTokens()), c.GetRetryBudget().GetTokenRatio()
	tokens = cmp.Or(tokens, 10)
	ratio = cmp.Or(ratio, 0.1)
	return tokens, ratio
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.9fs", d.Seconds()) }

// linkedMethods returns the methods of the protos that are linked into this program, as package.Service/Method.
var linkedMethods = sync.OnceValue(func() (methods struct{ all, streams []string }) {
	protoregistry.GlobalFiles.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		for i := range file.Services().Len() {
			service := file.Services().Get(i)
			for j := range service.Methods().Len() {
				m := service.Methods().Get(j)
				name := string(service.FullName()) + "/" + string(m.Name())
				methods.all = append(methods.all, name)
				if m.IsStreamingClient() || m.IsStreamingServer() {
					methods.streams = append(methods.streams, name)
				}
			}
		}
		return true
	})
	slices.Sort(methods.all)
	slices.Sort(methods.streams)
	return methods
})
