package xds

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/grpc-sandbox/sandbox/services/control/compile"
	"github.com/grpc-sandbox/sandbox/services/control/controlv1"
	"github.com/grpc-sandbox/sandbox/services/governance/policy"
)

// finding is what a kind of client does with a field that it has received.
type finding struct {
	verdict controlv1.Verdict
	why     string
	// depends decides by the value of the part; nil if the finding does not depend on it. Then why describes all cases.
	depends func(part proto.Message) finding
}

var enforced = finding{verdict: controlv1.Verdict_VERDICT_ENFORCED}

func approximated(with string) finding {
	return finding{verdict: controlv1.Verdict_VERDICT_APPROXIMATED, why: with}
}

func ignored(why string) finding {
	return finding{verdict: controlv1.Verdict_VERDICT_IGNORED, why: why}
}

func depends(cases string, on func(proto.Message) finding) finding {
	return finding{why: cases, depends: on}
}

// Checked reports whether the verdicts were checked for a user agent. Other programs of gRPC get the resources of grpc-go and may do something else.
func Checked(agent string) bool { return strings.HasPrefix(agent, "gRPC Go ") }

// Judge returns what a client does with each field of a value, provided that it has applied the resources.
func Judge(kind Kind, v compile.Value) (fields []*controlv1.FieldVerdict) {
	for _, name := range namesOf(v) {
		f := findingOf(kind, v, name)
		if f.verdict == controlv1.Verdict_VERDICT_ENFORCED && v.Approximated != "" {
			f = approximated(v.Approximated)
		}
		field := v.Field
		if name != "" {
			field += "." + name
		}
		fields = append(fields, &controlv1.FieldVerdict{Field: field, Verdict: f.verdict, Why: f.why})
	}
	return fields
}

func findingOf(kind Kind, v compile.Value, name string) finding {
	if kind == NGINX {
		return nginxFinding(v, name)
	}
	key := partOf(v)
	if v.Side == compile.Server && kind == GRPC {
		return ignored(unserved)
	}
	if v.Side == compile.Server && key == "tuning" {
		return ignored("it is not translated for received calls")
	}
	if v.Shadow {
		return ignored(noShadow)
	}
	if v.Partial() {
		return ignored("this kind of client enforces a rule for every call or for none")
	}
	row, ok := verdicts[key+"."+name]
	if !ok {
		// A part whose fields share one finding.
		row, ok = verdicts[key]
	}
	if !ok {
		return ignored("this kind of client does not receive it")
	}
	f := row.grpc
	if kind == Envoy {
		f = row.envoy
	}
	if f.depends != nil {
		f = f.depends(v.Part)
	}
	return f
}

// partOf returns the name of the part of a policy that a value is, such as retry.
func partOf(v compile.Value) string {
	name := v.Field
	for i := len(name) - 1; i >= 0; i-- {
		if name[i] == '.' {
			return name[i+1:]
		}
	}
	return name
}

// unjudged are fields of a fault that say what it is about, and those that governance alone reads.
var unjudged = map[protoreflect.Name]bool{"selector": true, "side": true}

// namesOf returns the fields that are set in a value that is a message, in the order of their numbers; an empty name for the value itself.
func namesOf(v compile.Value) (names []string) {
	if v.Part == nil {
		return []string{""}
	}
	m := v.Part.ProtoReflect()
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		if f := fields.Get(i); m.Has(f) && !unjudged[f.Name()] {
			names = append(names, f.JSONName())
		}
	}
	if len(names) == 0 {
		return []string{""}
	}
	return names
}

// Overlapped returns why a value does not apply to all methods that match its pattern; empty if it does. A route has one rule: of two patterns that
// share only some methods, these methods get what the later rule says.
func Overlapped(v compile.Value, all []compile.Value) string {
	later := false
	for _, other := range all {
		if other.Object == v.Object && other.Field == v.Field && other.Callee == v.Callee {
			later = true
			continue
		}
		if later && !other.Partial() && other.Side == v.Side && other.Callee == v.Callee && overlap(plain(v.Method), plain(other.Method)) {
			return fmt.Sprintf("methods that match %s, too, get only what is set for that", other.Method)
		}
	}
	return ""
}

// overlap reports whether two patterns share methods and neither covers the other.
func overlap(a, b string) bool {
	return a != "" && b != "" && !policy.Covers(a, b) && !policy.Covers(b, a) && intersect(a, b)
}

// intersect reports whether a text matches both patterns.
func intersect(a, b string) bool {
	// match[j] is whether the first characters of a, as many as are done, and the first j of b match a common text.
	match := make([]bool, len(b)+1)
	for i := 0; i <= len(a); i++ {
		next := make([]bool, len(b)+1)
		for j := range next {
			switch {
			case i == 0 && j == 0:
				next[j] = true
			case i > 0 && a[i-1] == '*' && (match[j] || j > 0 && next[j-1] && b[j-1] != '/'):
				next[j] = true
			case j > 0 && b[j-1] == '*' && (next[j-1] || i > 0 && match[j] && a[i-1] != '/'):
				next[j] = true
			case i > 0 && j > 0 && match[j-1]:
				next[j] = a[i-1] == b[j-1] || a[i-1] == '?' && b[j-1] != '/' || b[j-1] == '?' && a[i-1] != '/'
			}
		}
		match = next
	}
	return match[len(b)]
}
