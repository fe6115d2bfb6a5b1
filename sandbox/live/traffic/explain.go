package traffic

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/grpc-sandbox/sandbox/services/control/api"
	"github.com/grpc-sandbox/sandbox/services/control/compile"
	"github.com/grpc-sandbox/sandbox/services/control/controlv1"
	"github.com/grpc-sandbox/sandbox/services/governance/policy"
)

// Value is an effective value for the calls to a service.
type Value struct {
	// Side is where it is enforced: server, by the service itself, or client, by its callers.
	Side string `json:"side"`
	// Method is the pattern of methods to which it applies; empty for every method.
	Method string `json:"method"`
	// Field is its path in a TrafficPolicy, below methods if it concerns methods, such as deadline.timeout.
	Field string `json:"field"`
	// Value is the value in one line.
	Value string `json:"value"`
	// From is the source: TrafficPolicy NAME, Fault NAME, file of RELEASE, or default. A source that is not enforced for every call has ", in shadow mode"
	// or ", for 10% of the calls" added.
	From string `json:"from"`
	// At is file:line of the value in its source, if that is known.
	At string `json:"at,omitempty"`
}

// IsDefault reports whether no source sets the value.
func (v Value) IsDefault() bool { return v.From == fromDefault }

// MountedFile is the policy file that is mounted into the pods of a service. Name is its origin, such as configmap/userservice-policy, and Text its content.
type MountedFile struct{ Service, Name, Text string }

// Explained is what the values of a service are read from.
type Explained interface {
	// Explain returns the values of objects that apply, in the order in which a later one applies rather than an earlier one.
	Explain(ctx context.Context, service, method string) ([]*controlv1.ExplainedValue, error)
	// Policies returns the policies of the shop.
	Policies(ctx context.Context) ([]api.TrafficPolicy, error)
	// MountedFiles returns the policy files that are mounted into pods.
	MountedFiles(ctx context.Context) ([]MountedFile, error)
}

// part is a part of a rule that applies as a whole, such as deadline, with its source.
type part struct {
	side, method, name string
	from               string
	// partial means that the part is in shadow mode or applies to a share of the calls, so that what it would replace applies too.
	partial bool
	// leaves have paths that start with name.
	leaves []located
}

type located struct {
	Leaf
	at string
}

// Explain returns every effective value for the calls to a service, in the order of the fields. With a method, only what applies to that method.
func Explain(ctx context.Context, c Explained, service, method string) ([]Value, error) {
	values, err := c.Explain(ctx, service, method)
	if err != nil {
		return nil, err
	}
	objects, err := c.Policies(ctx)
	if err != nil {
		return nil, err
	}
	files, err := c.MountedFiles(ctx)
	if err != nil {
		return nil, err
	}
	pushed := partsOfObjects(values, objects)
	mounted := slices.DeleteFunc(partsOfFiles(files, service), func(p part) bool { return method != "" && !policy.Matches(p.method, method) })
	if method != "" {
		pushed, mounted = last(pushed), last(mounted)
	}
	// What is pushed applies rather than what is mounted.
	mounted = slices.DeleteFunc(mounted, func(m part) bool {
		return slices.ContainsFunc(pushed, func(p part) bool {
			return !p.partial && p.side == m.side && p.name == m.name && (method != "" || policy.Covers(p.method, m.method))
		})
	})
	var all []Value
	for _, p := range append(pushed, mounted...) {
		all = append(all, p.values()...)
	}
	all = append(all, defaultsWithout(append(pushed, mounted...), method != "")...)
	slices.SortStableFunc(all, func(a, b Value) int {
		return cmp.Or(-strings.Compare(a.Side, b.Side), cmp.Compare(orderOf(a), orderOf(b)), strings.Compare(a.Method, b.Method))
	})
	return all, nil
}

// last returns for each part of a rule only the last one. Files of several callers are apart.
func last(all []part) (kept []part) {
	for i, p := range all {
		same := func(q part) bool {
			return !q.partial && q.side == p.side && q.name == p.name && (!strings.HasPrefix(p.from, fileOf) || q.from == p.from)
		}
		if p.name == faultPart || !slices.ContainsFunc(all[i+1:], same) {
			kept = append(kept, p)
		}
	}
	return kept
}

// ejectionPart is the part of a policy that can be in shadow mode by itself.
const ejectionPart = "outlierEjection"

// faultPart is the name of a fault among the parts. All faults apply.
const faultPart = "fault"

// partsOfObjects returns the values of objects with the lines that they were applied from.
func partsOfObjects(values []*controlv1.ExplainedValue, objects []api.TrafficPolicy) (all []part) {
	for _, v := range values {
		kind, name, _ := strings.Cut(v.GetObject(), " ")
		_, name, _ = strings.Cut(name, "/")
		p := part{side: v.GetSide(), method: v.GetMethod(), name: lastPart(v.GetField()), from: kind + " " + name}
		i := slices.IndexFunc(objects, func(o api.TrafficPolicy) bool { return o.Name == name })
		if kind != compile.KindTrafficPolicy || i < 0 {
			p.leaves = []located{{Leaf: Leaf{p.name, cmp.Or(v.GetValue(), "{}")}}}
			all = append(all, p)
			continue
		}
		// An object that cannot be read has no values.
		spec, _ := objects[i].Decode()
		p.apply(spec.GetShadow() || p.name == ejectionPart && spec.GetOutlierEjection().GetShadow(), spec.Percent)
		for _, leaf := range Leaves(spec) {
			if rest, ok := below(leaf.Field, v.GetField()); ok {
				p.leaves = append(p.leaves, located{Leaf{p.name + rest, leaf.Value}, lineOf(objects[i], spec, leaf.Field)})
			}
		}
		all = append(all, p)
	}
	return all
}

// apply notes that a policy or rule is not enforced for every call.
func (p *part) apply(shadow bool, percent *float64) {
	if percent != nil && *percent < 100 {
		p.partial, p.from = true, fmt.Sprintf("%s, for %g%% of the calls", p.from, *percent)
	}
	if shadow {
		p.partial, p.from = true, p.from+", in shadow mode"
	}
}

func lastPart(path string) string { return path[strings.LastIndex(path, ".")+1:] }

func (p part) values() (all []Value) {
	for _, leaf := range p.leaves {
		all = append(all, Value{Side: p.side, Method: p.method, Field: leaf.Field, Value: leaf.Value, From: p.from, At: leaf.at})
	}
	if p.partial {
		// Defaults are those of the calls to which nothing else applies.
		return all
	}
	return append(all, p.defaults()...)
}

// has returns the value of a field of the part; empty if it is not set.
func (p part) has(field string) string {
	for _, leaf := range p.leaves {
		if leaf.Field == p.name+"."+field {
			return leaf.Value
		}
	}
	return ""
}

// defaults returns the defaults of the fields that the part does not set.
func (p part) defaults() (all []Value) {
	for _, d := range defaults {
		if d.part == p.name && d.field != "" && p.has(d.field) == "" && (d.unless == "" || p.has(d.unless) != "true") {
			all = append(all, d.value(p.side, p.method))
		}
	}
	return all
}

func orderOf(v Value) int {
	return slices.IndexFunc(defaults, func(d defaultValue) bool {
		_, ok := below(v.Field, d.part)
		return ok
	})
}

// fileOf begins the source of a value from a mounted file.
const fileOf = "file of "

// partsOfFiles returns what the mounted files say about the calls to a service: its own about calls that it receives, and those of the others about
// calls that they make.
func partsOfFiles(files []MountedFile, service string) (all []part) {
	for _, f := range files {
		all = append(all, f.parts(service)...)
	}
	return all
}
