package compile

import (
	"math/rand/v2"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"pgregory.net/rapid"

	"github.com/grpc-sandbox/sandbox/services/governance/policy"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

func pod(service, name string) Pod {
	return Pod{Namespace: "shop", Name: name, Account: service, Labels: map[string]string{ServiceLabel: service, "tier": "one"}, Ready: true, Created: time.Unix(int64(len(name)), 0)}
}

func traffic(name string, spec *policyv1.TrafficPolicySpec) TrafficPolicy {
	return TrafficPolicy{Object{Kind: KindTrafficPolicy, Namespace: "shop", Name: name, UID: name, Generation: 1, Created: time.Unix(100, 0)}, spec}
}

func specOf(t testing.TB, text string) *policyv1.TrafficPolicySpec {
	t.Helper()
	s := &policyv1.TrafficPolicySpec{}
	if _, err := policy.Decode([]byte(text), s); err != nil {
		t.Fatal(err)
	}
	return s
}

const (
	byName  = "selector: {matchLabels: {app.kubernetes.io/name: b}}\n"
	byTier  = "selector: {matchLabels: {tier: one}}\n"
	byBoth  = "selector: {matchLabels: {app.kubernetes.io/name: b, tier: one}}\n"
	another = "selector: {matchLabels: {app.kubernetes.io/name: a}}\n"
)

func TestFor_Precedence(t *testing.T) {
	older := func(p TrafficPolicy) TrafficPolicy { p.Created = time.Unix(1, 0); return p }
	for _, c := range []struct {
		sentence string
		policies []TrafficPolicy
		method   string
		winner   int64
	}{
		{"the only one", []TrafficPolicy{traffic("p", specOf(t, byName+"methods: [{bulkhead: {maxConcurrent: 1}}]"))}, "x.Y/Z", 1},
		{"another workload's policy does not apply", []TrafficPolicy{traffic("p", specOf(t, another+"methods: [{bulkhead: {maxConcurrent: 1}}]"))}, "x.Y/Z", 0},
		{"more labels before the exact method", []TrafficPolicy{
			traffic("a", specOf(t, byBoth+"methods: [{bulkhead: {maxConcurrent: 1}}]")), traffic("b", specOf(t, byName+"methods: [{method: x.Y/Z, bulkhead: {maxConcurrent: 2}}]"))}, "x.Y/Z", 1},
		{"the exact method before a pattern, whatever their order", []TrafficPolicy{
			traffic("a", specOf(t, byName+"methods: [{method: x.Y/Z, bulkhead: {maxConcurrent: 1}}, {method: 'x.Y/*', bulkhead: {maxConcurrent: 2}}]"))}, "x.Y/Z", 1},
		{"a pattern before none", []TrafficPolicy{
			traffic("a", specOf(t, byName+"methods: [{bulkhead: {maxConcurrent: 2}}]")), traffic("b", specOf(t, byName+"methods: [{method: 'x.Y/*', bulkhead: {maxConcurrent: 1}}]"))}, "x.Y/Z", 1},
		{"the exact method before age", []TrafficPolicy{
			older(traffic("a", specOf(t, byName+"methods: [{method: 'x.Y/*', bulkhead: {maxConcurrent: 2}}]"))), traffic("b", specOf(t, byName+"methods: [{method: x.Y/Z, bulkhead: {maxConcurrent: 1}}]"))}, "x.Y/Z", 1},
		{"the older object before the name", []TrafficPolicy{
			older(traffic("z", specOf(t, byName+"methods: [{bulkhead: {maxConcurrent: 1}}]"))), traffic("a", specOf(t, byTier+"methods: [{bulkhead: {maxConcurrent: 2}}]"))}, "x.Y/Z", 1},
		{"the lower name", []TrafficPolicy{
			traffic("b", specOf(t, byName+"methods: [{bulkhead: {maxConcurrent: 2}}]")), traffic("a", specOf(t, byTier+"methods: [{bulkhead: {maxConcurrent: 1}}]"))}, "x.Y/Z", 1},
		{"each field by itself", []TrafficPolicy{
			traffic("a", specOf(t, byBoth+"methods: [{serverDeadline: {timeout: 1s}}]")), traffic("b", specOf(t, byName+"methods: [{bulkhead: {maxConcurrent: 1}}]"))}, "x.Y/Z", 1},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			compiled := New(World{Pods: []Pod{pod("b", "b-1")}, Policies: c.policies}).For(Process{Pod: pod("b", "b-1")})
			inForce, err := policy.New(compiled.Policy)
			if err != nil {
				t.Fatal(err)
			}
			if got := inForce.Rules().Server(c.method).MaxConcurrent; got != c.winner {
				t.Errorf("maxConcurrent %d, want %d", got, c.winner)
			}
		})
	}
}

func TestValues_LoserNamesTheWinner(t *testing.T) {
	c := New(World{Pods: []Pod{pod("b", "b-1")}, Policies: []TrafficPolicy{
		traffic("winner", specOf(t, byBoth+"maxRequestsPerSecond: 9\nmethods: [{bulkhead: {maxConcurrent: 1}}]")),
		traffic("loser", specOf(t, byName+"maxRequestsPerSecond: 5\nmethods: [{method: x.Y/Z, bulkhead: {maxConcurrent: 2}, serverDeadline: {timeout: 1s}}]"))}})
	lost := map[string]string{}
	for _, v := range c.For(Process{Pod: pod("b", "b-1"), Callees: []string{}}).Values {
		if v.LostTo != nil {
			lost[v.Object.Name+" "+v.Field] = v.LostTo.Name
		}
	}
	if len(lost) != 2 || lost["loser methods[0].bulkhead"] != "winner" || lost["loser maxRequestsPerSecond"] != "winner" {
		t.Errorf("lost: %v", lost)
	}
}

func TestSharing_OnlyReadyPodsOfTheService(t *testing.T) {
	starting, leaving := pod("b", "b-2"), pod("b", "b-3")
	starting.Ready, leaving.Ready = false, false
	w := World{Pods: []Pod{pod("b", "b-1"), starting, leaving, pod("b", "b-4"), pod("a", "a-1")}, Policies: []TrafficPolicy{traffic("p", specOf(t, byTier+"maxRequestsPerSecond: 60"))}}
	for name, want := range map[string]float64{"b-1": 30, "b-4": 30, "b-2": 20, "a-1": 60} {
		p := pod(name[:1], name)
		if got := New(w).For(Process{Pod: p}).Policy.GetRate().GetLimits()[0].GetTokenBucket().GetRate(); got != want {
			t.Errorf("%s: %v calls/s, want %v", name, got, want)
		}
	}
}

func TestClient_OnlyTheCalleesOfTheProcess(t *testing.T) {
	w := World{Pods: []Pod{pod("a", "a-1"), pod("b", "b-1")}, Policies: []TrafficPolicy{
		traffic("p", specOf(t, byName+"methods: [{deadline: {timeout: 1s}}]")), traffic("q", specOf(t, another+"methods: [{deadline: {timeout: 2s}}]"))}}
	if got := New(w).For(Process{Pod: pod("a", "a-1"), Callees: []string{"b"}}).Policy.GetClient(); len(got) != 1 || got[0].GetCallee() != "b" {
		t.Errorf("rules %v", got)
	}
	if got := New(w).For(Process{Pod: pod("a", "a-1"), Callees: []string{}}).Policy; got.GetVersion() != "" || len(got.GetClient()) != 0 {
		t.Errorf("a process without callees got %v", got)
	}
	elsewhere := pod("a", "a-1")
	elsewhere.Namespace = "elsewhere"
	if got := New(w).For(Process{Pod: elsewhere}).Policy; got.GetVersion() != "" {
		t.Errorf("a process of another namespace got %v", got)
	}
}

func TestClient_PolicyOfSomePods(t *testing.T) {
	other := pod("b", "b-2")
	other.Labels = map[string]string{ServiceLabel: "b"}
	w := World{Pods: []Pod{pod("b", "b-1"), other}, Policies: []TrafficPolicy{traffic("p", specOf(t, byBoth+"methods: [{deadline: {timeout: 1s}}]"))}}
	values := New(w).For(Process{Pod: pod("a", "a-1"), Callees: []string{"b"}}).Values
	if len(values) != 1 || values[0].Approximated != somePods || values[0].Text != "{timeout: 1s}" {
		t.Errorf("values %+v", values)
	}
}

func TestFaults_OldestPods(t *testing.T) {
	spec := &policyv1.FaultSpec{}
	if _, err := policy.Decode([]byte(byName+"pods: 1\nhang: {}\nleaseSeconds: 10"), spec); err != nil {
		t.Fatal(err)
	}
	young, old := pod("b", "b-1"), pod("b", "b-2")
	young.Created, old.Created = time.Unix(9, 0), time.Unix(5, 0)
	fault := Fault{Object: Object{Kind: KindFault, Namespace: "shop", Name: "f", UID: "u", Created: time.Unix(10, 0)}, Spec: spec}
	c := New(World{Pods: []Pod{young, old}, Faults: []Fault{fault}, Now: time.Unix(11, 0)})
	if got := c.For(Process{Pod: old}).Policy.GetServerFaults(); len(got) != 1 || got[0].GetUid() != "u" || got[0].GetLeaseTime().AsDuration() != 10*time.Second || got[0].GetName() != "shop/f" {
		t.Errorf("the oldest pod has %v", got)
	}
	if got := c.For(Process{Pod: old}).Values; len(got) != 1 || got[0].Field != "fault" || got[0].Text != "hang" {
		t.Errorf("the oldest pod explains %v", got)
	}
	if got := c.For(Process{Pod: young}).Policy.GetServerFaults(); len(got) != 0 {
		t.Errorf("the other pod has %v", got)
	}
	for sentence, change := range map[string]func(*Fault){
		"its lease has ended":    func(f *Fault) { f.Ended = true },
		"its duration has ended": func(f *Fault) { f.Spec = proto.CloneOf(f.Spec); f.Spec.Duration = durationOf(time.Second) },
	} {
		over := fault
		change(&over)
		if got := New(World{Pods: []Pod{old}, Faults: []Fault{over}, Now: time.Unix(11, 0)}).For(Process{Pod: old}).Policy; got.GetVersion() != "" {
			t.Errorf("%s: %v", sentence, got)
		}
	}
}

// TestCompile_OrderFree compiles random worlds with their objects in another order.
func TestCompile_OrderFree(t *testing.T) {
	texts := []string{"maxRequestsPerSecond: 5", "methods: [{bulkhead: {maxConcurrent: 1}}]", "methods: [{method: x.Y/Z, bulkhead: {maxConcurrent: 2}, deadline: {timeout: 1s}}]",
		"methods: [{method: 'x.Y/*', deadline: {timeout: 2s}}, {retry: {idempotent: true, maxAttempts: 2}}]", "outlierEjection: {disabled: true}\nshed: {minLimit: 3}"}
	rapid.Check(t, func(t *rapid.T) {
		w := World{Now: time.Unix(1000, 0)}
		for i := range rapid.IntRange(0, 6).Draw(t, "pods") {
			service := rapid.SampledFrom([]string{"a", "b"}).Draw(t, "service")
			p := pod(service, service+"-"+string(rune('0'+i)))
			p.Ready = rapid.Bool().Draw(t, "ready")
			w.Pods = append(w.Pods, p)
		}
		for i := range rapid.IntRange(0, 5).Draw(t, "policies") {
			s := &policyv1.TrafficPolicySpec{}
			text := rapid.SampledFrom([]string{byName, byTier, byBoth, another}).Draw(t, "selector") + rapid.SampledFrom(texts).Draw(t, "spec")
			if _, err := policy.Decode([]byte(text), s); err != nil {
				t.Fatal(err)
			}
			p := traffic("p"+string(rune('0'+i)), s)
			p.Created = time.Unix(rapid.Int64Range(1, 2).Draw(t, "created"), 0)
			w.Policies = append(w.Policies, p)
		}
		shuffled := World{Now: w.Now, Pods: append([]Pod{}, w.Pods...), Policies: append([]TrafficPolicy{}, w.Policies...)}
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		random.Shuffle(len(shuffled.Pods), func(i, j int) { shuffled.Pods[i], shuffled.Pods[j] = shuffled.Pods[j], shuffled.Pods[i] })
		random.Shuffle(len(shuffled.Policies), func(i, j int) {
			shuffled.Policies[i], shuffled.Policies[j] = shuffled.Policies[j], shuffled.Policies[i]
		})
		first, second := New(w), New(shuffled)
		for _, p := range w.Pods {
			a, b := first.For(Process{Pod: p}), second.For(Process{Pod: p})
			if !proto.Equal(a.Policy, b.Policy) || len(a.Values) != len(b.Values) {
				t.Fatalf("in another order %s got\n%v\ninstead of\n%v", p.Name, b.Policy, a.Policy)
			}
			if problems := policy.Check(a.Policy); len(problems) > 0 {
				t.Fatalf("%s got a policy with problems %v", p.Name, problems)
			}
		}
	})
}

func durationOf(d time.Duration) *durationpb.Duration { return durationpb.New(d) }
