package rules

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"
	"pgregory.net/rapid"

	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// TestCheck_SameAsProtovalidate compares paths and rules of all violations, for policies of values at and around the limits.
func TestCheck_SameAsProtovalidate(t *testing.T) {
	for _, p := range []proto.Message{&policyv1.EffectivePolicy{}, &policyv1.TrafficPolicySpec{}, &policyv1.FaultSpec{}} {
		t.Run(string(p.ProtoReflect().Descriptor().Name()), rapid.MakeCheck(func(t *rapid.T) {
			p := p.ProtoReflect().New()
			fill(t, p, 1)
			compare(t, p.Interface())
		}))
	}
}

func check(p proto.Message) []Violation {
	switch p := p.(type) {
	case *policyv1.TrafficPolicySpec:
		return CheckTrafficPolicySpec(p)
	case *policyv1.FaultSpec:
		return CheckFaultSpec(p)
	}
	return CheckEffectivePolicy(p.(*policyv1.EffectivePolicy))
}

func TestCheck_SameAsProtovalidate_LongLists(t *testing.T) {
	limits := make([]*policyv1.RateLimit, 17)
	for i := range limits {
		limits[i] = &policyv1.RateLimit{Algorithm: &policyv1.RateLimit_TokenBucket{TokenBucket: &policyv1.TokenBucket{Rate: 1}}}
	}
	metadata := map[string]string{"": "", strings.Repeat("k", 129): strings.Repeat("v", 1025)}
	for i := range 15 {
		metadata[fmt.Sprint(i)] = "v"
	}
	p := &policyv1.EffectivePolicy{
		Server:       []*policyv1.ServerRule{{Rate: &policyv1.RateLimits{Limits: limits}, Callers: &policyv1.Callers{Allow: slices.Repeat([]string{"a"}, 101)}}},
		Client:       slices.Repeat([]*policyv1.ClientRule{{}}, 1001),
		ClientFaults: []*policyv1.Fault{{Metadata: metadata, Kind: &policyv1.Fault_Hang{Hang: &policyv1.Hang{}}}},
	}
	compare(t, p)
	if got := len(CheckEffectivePolicy(p)); got != 7 {
		t.Errorf("%d violations, want 7", got)
	}
}

func compare(t rapid.TB, p proto.Message) {
	t.Helper()
	var got []string
	for _, v := range check(p) {
		got = append(got, v.Field+": "+v.Rule)
	}
	want := expected(t, p)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Fatalf("%s\ngot  %q\nwant %q", prototext.Format(p), got, want)
	}
}

// expected returns the violations that protovalidate finds.
func expected(t rapid.TB, p proto.Message) (all []string) {
	t.Helper()
	err := protovalidate.Validate(p)
	var invalid *protovalidate.ValidationError
	if err != nil && !errors.As(err, &invalid) {
		t.Fatal(err)
	}
	if invalid != nil {
		for _, v := range invalid.Violations {
			all = append(all, path(p.ProtoReflect().Descriptor(), v.Proto)+": "+v.Proto.GetRuleId())
		}
	}
	return all
}

// path writes the path of a violation as in a file. The name of a oneof is no part of it, and the id of a rule about a message may name a field.
func path(d protoreflect.MessageDescriptor, v *validate.Violation) string {
	var b strings.Builder
	add := func(f protoreflect.FieldDescriptor) {
		if b.Len() > 0 {
			b.WriteByte('.')
		}
		b.WriteString(f.JSONName())
	}
	for _, element := range v.GetField().GetElements() {
		f := d.Fields().ByName(protoreflect.Name(element.GetFieldName()))
		if f == nil {
			return b.String()
		}
		add(f)
		d = nil
		switch element.GetSubscript().(type) {
		case *validate.FieldPathElement_Index:
			fmt.Fprintf(&b, "[%d]", element.GetIndex())
			d = f.Message()
		case *validate.FieldPathElement_StringKey:
			b.WriteString("." + element.GetStringKey())
		default:
			if !f.IsList() && !f.IsMap() {
				d = f.Message()
			}
		}
	}
	if d != nil {
		first, _, _ := strings.Cut(v.GetRuleId(), ".")
		if f := d.Fields().ByName(protoreflect.Name(first)); f != nil {
			add(f)
		}
	}
	return b.String()
}

var (
	numbers = []uint32{0, 1, 2, 5, 6, 10, 50, 100, 101, 200, 201, 1000, 1001, 1023, 1024, 65535, 65536, math.MaxInt32, math.MaxInt32 + 1, math.MaxUint32}
	floats  = []float64{0, -1, math.SmallestNonzeroFloat64, 1e-7, 1e-6, 0.001, 0.01, 0.5, 1, 1.5, 100, 101, 1000, 1001, 1e9, 1e10, math.NaN(), math.Inf(1), math.Inf(-1)}
	texts   = []string{"", "a", "*", "a/b", "a.B/C*", "/a", "a/", "a/b/c", "[a", `a\`, "a]/b", "UNAVAILABLE", "unavailable", "ABORTED", "OK", "INTERNAL",
		strings.Repeat("ä", 253), strings.Repeat("ä", 254), strings.Repeat("a", 512), strings.Repeat("a", 513), strings.Repeat("a", 1025)}
	seconds = []int64{0, 1, -1, 9, 10, 31536000, 31536001, math.MaxInt32, math.MaxInt64, math.MinInt64}
	nanos   = []int32{0, 1, -1, 999, 1000, 999999, 1000000, 9999999, 10000000, 999999999, math.MaxInt32, math.MinInt32}
)

// fill sets some fields of a message. Lists have at most a few items.
func fill(t *rapid.T, m protoreflect.Message, items int) {
	for i := range m.Descriptor().Fields().Len() {
		f := m.Descriptor().Fields().Get(i)
		if rapid.IntRange(0, 2).Draw(t, string(f.Name())) == 0 {
			continue
		}
		switch {
		case f.IsMap():
			key := protoreflect.ValueOfString(rapid.SampledFrom(texts).Draw(t, "key")).MapKey()
			m.Mutable(f).Map().Set(key, scalar(t, f.MapValue()))
		case f.IsList():
			for range rapid.IntRange(0, items).Draw(t, "items") {
				list := m.Mutable(f).List()
				if f.Message() != nil {
					fill(t, list.AppendMutable().Message(), 4)
				} else {
					list.Append(scalar(t, f))
				}
			}
		case f.Message() != nil && f.Message().FullName() != "google.protobuf.Duration":
			fill(t, m.Mutable(f).Message(), 4)
		default:
			m.Set(f, scalar(t, f))
		}
	}
}

func scalar(t *rapid.T, f protoreflect.FieldDescriptor) protoreflect.Value {
	switch f.Kind() {
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(rapid.Bool().Draw(t, "bool"))
	case protoreflect.Uint32Kind:
		return protoreflect.ValueOfUint32(rapid.SampledFrom(numbers).Draw(t, "number"))
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64(rapid.SampledFrom(floats).Draw(t, "float"))
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(protoreflect.EnumNumber(rapid.IntRange(-1, 5).Draw(t, "enum")))
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(rapid.SampledFrom(texts).Draw(t, "text"))
	}
	return protoreflect.ValueOfMessage((&durationpb.Duration{
		Seconds: rapid.SampledFrom(seconds).Draw(t, "seconds"), Nanos: rapid.SampledFrom(nanos).Draw(t, "nanos")}).ProtoReflect())
}
