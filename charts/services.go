package charts

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// Service is the record of one service of the shop. Everything else that knows a service is computed from its record: the release and the image, the
// certificate, the role and schema in the database, who may call it, the methods of `sandbox call`, and the targets of the load generator.
type Service struct {
	// Name is the name of the release, of the program below cmd/, of the image and of the Kubernetes account.
	Name string
	// Purpose says in a few words what the service does.
	Purpose string
	// Image is the component whose image it runs, if that is not its own: the last part of the name of the image's repository.
	Image string
	// Protos are the files, relative to services/proto, whose gRPC services it serves.
	Protos []string
	// Replicas is the number of pods; 0 means the chart's default.
	Replicas int
	// MinAvailable is the number of pods that a voluntary disruption leaves; 0 means the chart's default.
	MinAvailable int
	// Needs are the releases that must be ready before this one is installed.
	Needs []string
	// Callers are the services that may call it, besides the command line. Empty means that every workload may.
	Callers []string
	// Policy is its governance policy, in addition to Callers. May be nil.
	Policy map[string]any
	// State is the role and the schema of the service in PostgreSQL; empty for a service without state.
	State string
	// Public is true if partners may call the service through the gateway.
	Public bool
	// Read is a method that changes nothing, with a request that every sandbox answers. It is empty if there is none. The name is package.Service/Method.
	Read Method
	// FirstCall is true if the first call of `sandbox up` waits for this service.
	FirstCall bool
	// CPU is the CPU request of each pod, such as 150m; empty means the chart's default.
	CPU string
	// Env are environment variables.
	Env map[string]any
}

// Method is a method of a service, as package.Service/Method, and a request, as JSON.
type Method struct{ Name, Request string }

// LoadGenerator is the service that sends the load of scenarios.
const LoadGenerator = "loadgen"

// BackgroundTarget and BackgroundOrdersTarget are the services that the load generator calls by itself, at 20 and at 5 calls per second. BACKGROUND_RATE
// and BACKGROUND_ORDERS_RATE in Env of its record change that; 0 means no such load.
const (
	BackgroundTarget       = "userservice"
	BackgroundOrdersTarget = "orderservice"
)

// Services returns the services of the shop in the order in which their images are needed.
func Services() []Service {
	return []Service{
		{
			Name: "userservice", Purpose: "users and chat over gRPC", Protos: []string{"user/v1/user.proto"},
			Replicas: 3, MinAvailable: 2, Needs: []string{"pki"}, State: "users", Public: true, FirstCall: true,
			Read: Method{"user.v1.UserService/GetUser", `{"userId":"u-1"}`},
		},
		{
			// It starts after userservice. Otherwise its calls would fail and its breaker would open. It waits by itself for orderservice, which is
			// installed later. On a busy node the services under test get CPU before the load generator.
			Name: LoadGenerator, Purpose: "load on the other services", Protos: []string{"loadgen/v1/loadgen.proto"},
			Needs: []string{"pki", "userservice"}, CPU: "150m",
		},
		{
			Name: "inventoryservice", Purpose: "stock and its reservation", Protos: []string{"inventory/v1/inventory.proto"},
			Needs: []string{databaseRelease}, Callers: []string{"orderservice"}, State: "inventory",
		},
		{
			Name: "paymentservice", Purpose: "payments for orders", Protos: []string{"payment/v1/payment.proto"},
			Needs: []string{databaseRelease}, Callers: []string{"orderservice"}, State: "payments",
		},
		{
			Name: "orderservice", Purpose: "orders, a saga over the others", Protos: []string{"order/v1/order.proto"},
			Needs: []string{"inventoryservice", "paymentservice"}, State: "orders", Public: true, Policy: orderPolicy(),
		},
	}
}

func orderPolicy() map[string]any {
	return map[string]any{
		"version": "order-2",
		// Orders beyond the capacity of two cores are refused immediately, and the others stay fast. The limit is at least 40, because a node that
		// starts a pod stalls for up to a third of a second.
		"shed": map[string]any{"minLimit": 40, "initialLimit": 40, "maxLimit": 200},
		"server": []any{
			// Audit reads every order.
			map[string]any{"method": "order.v1.OrderService/Audit", "bulkhead": map[string]any{"maxConcurrent": 4}},
		},
		// Reads may be retried. Writes are repeated by the saga, with their idempotency key.
		"client": []any{map[string]any{
			"callee": "userservice", "method": "user.v1.UserService/GetUser",
			"retry": map[string]any{"idempotent": true, "maxAttempts": 3, "codes": []any{"UNAVAILABLE"}},
		}},
	}
}

// FirstCall returns the service that `sandbox up` calls first, with its Read.
func FirstCall() Service {
	all := Services()
	return all[slices.IndexFunc(all, func(s Service) bool { return s.FirstCall && s.Read != Method{} })]
}

// LoadTargets returns the services that the load generator can call: those that admit it.
func LoadTargets() []string {
	var all []string
	for _, s := range Services() {
		if s.Name != LoadGenerator && (len(s.Callers) == 0 || slices.Contains(s.Callers, LoadGenerator)) {
			all = append(all, s.Name)
		}
	}
	return all
}

// NeedsDatabase reports whether the service starts only after the database.
func (s Service) NeedsDatabase() bool {
	all := Services()
	return slices.ContainsFunc(s.Needs, func(need string) bool {
		i := slices.IndexFunc(all, func(other Service) bool { return other.Name == need })
		return need == databaseRelease || i >= 0 && all[i].NeedsDatabase()
	})
}

// release returns the release of a service. The image function is that of All.
func (s Service) release(image func(component string) string) Release {
	ref := image(cmp.Or(s.Image, s.Name))
	values := map[string]any{"image": ref}
	if s.Replicas > 0 {
		values["replicas"] = s.Replicas
	}
	if s.MinAvailable > 0 {
		values["minAvailable"] = s.MinAvailable
	}
	if policy := s.policy(); policy != nil {
		values["policy"] = policy
	}
	if s.CPU != "" {
		values["resources"] = map[string]any{"requests": map[string]any{"cpu": s.CPU}}
	}
	if s.Public {
		values["gateways"] = []any{identityOf(ShopNamespace, Gateway)}
	}
	if env := s.env(); len(env) > 0 {
		values["env"] = env
	}
	return Release{
		Name: s.Name, Namespace: ShopNamespace, Chart: "grpcservice", Needs: s.Needs, Images: []string{ref}, Values: values,
		Selector: "app.kubernetes.io/name=" + s.Name, FirstCall: s.FirstCall, Digest: true, Target: true,
	}
}

// policy returns the policy of a service with the list of its callers; nil for neither.
func (s Service) policy() map[string]any {
	if len(s.Callers) == 0 {
		return s.Policy
	}
	policy := map[string]any{"version": "callers-1"}
	maps.Copy(policy, s.Policy)
	var allow []any
	for _, caller := range append(slices.Clone(s.Callers), commandLine) {
		allow = append(allow, identityOf(ShopNamespace, caller))
	}
	rules, _ := policy["server"].([]any)
	policy["server"] = append(slices.Clone(rules), map[string]any{"method": "*/*", "callers": map[string]any{"allow": allow}})
	return policy
}

// env returns the environment of a service. That of the load generator names its targets with their headless addresses.
func (s Service) env() map[string]any {
	if s.Name != LoadGenerator {
		return s.Env
	}
	var targets []string
	for _, t := range LoadTargets() {
		targets = append(targets, t+"=dns:///"+t+"-headless."+ShopNamespace+".svc:8443")
	}
	env := map[string]any{"TARGETS": strings.Join(targets, ","), "BACKGROUND_TARGET": BackgroundTarget,
		"BACKGROUND_ORDERS_TARGET": BackgroundOrdersTarget}
	maps.Copy(env, s.Env)
	return env
}

// commandLine is the account of `sandbox` on this machine.
const commandLine = "cli"

// workloads returns the workloads that get a certificate, by namespace.
func workloads() map[string]any {
	shop := []any{}
	for _, s := range Services() {
		shop = append(shop, s.Name)
	}
	return map[string]any{ShopNamespace: append(shop, databaseRelease, Gateway, commandLine), SystemNamespace: []any{TraceStore, Control}}
}

// roles returns the database role of each service that keeps state.
func roles() []any {
	var all []any
	for _, s := range Services() {
		if s.State != "" {
			all = append(all, map[string]any{"service": s.Name, "role": s.State})
		}
	}
	return all
}
