package crd

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"
	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

// durationPattern is what time.ParseDuration accepts, without signs.
const durationPattern = `^(0|([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+)$`

// longestDuration is the length of the longest useful text: 2562047h47m16.854775807s.
const longestDuration = 32

// scalar returns the schema of a value without fields. Enums and durations are written as text.
func scalar(f protoreflect.FieldDescriptor, rules *validate.FieldRules) (*apiextensions.JSONSchemaProps, error) {
	s := &apiextensions.JSONSchemaProps{}
	switch kind := f.Kind(); {
	case isDuration(f):
		s.Type, s.Pattern, s.MaxLength = "string", durationPattern, new(int64(longestDuration))
	case kind == protoreflect.StringKind:
		s.Type = "string"
	case kind == protoreflect.BoolKind:
		s.Type = "boolean"
	case kind == protoreflect.Uint32Kind:
		s.Type, s.Format, s.Minimum, s.Maximum = "integer", "int64", new(0.0), new(float64(math.MaxUint32))
	case kind == protoreflect.Int32Kind:
		s.Type, s.Format = "integer", "int32"
	case kind == protoreflect.DoubleKind:
		s.Type, s.Format = "number", "double"
	case kind == protoreflect.EnumKind:
		s.Type, s.Enum = "string", enum(f.Enum())
	default:
		return nil, fmt.Errorf("fields of kind %s are not supported", kind)
	}
	if err := standard(s, f, rules); err != nil {
		return nil, err
	}
	if s.Type == "string" && s.MaxLength == nil && s.Enum == nil {
		return nil, fmt.Errorf("has no maximum length: add string.max_len")
	}
	return s, addFieldRules(s, f, rules)
}

// enum returns the values of an enum in lower case without their prefix. The first one, unspecified, is not written.
func enum(d protoreflect.EnumDescriptor) (values []apiextensions.JSON) {
	for i := 1; i < d.Values().Len(); i++ {
		values = append(values, text(enumName(d.Values().Get(i))))
	}
	return values
}

func enumName(v protoreflect.EnumValueDescriptor) string {
	prefix := strings.TrimSuffix(string(v.Parent().(protoreflect.EnumDescriptor).Values().Get(0).Name()), "UNSPECIFIED")
	return strings.ToLower(strings.TrimPrefix(string(v.Name()), prefix))
}

func text(s string) apiextensions.JSON {
	raw, err := json.Marshal(s)
	if err != nil {
		// A string can always be written as JSON.
		panic(err)
	}
	return apiextensions.JSON{Raw: raw}
}

// standard adds the standard rules of protovalidate, and the predefined rules of our own.
func standard(s *apiextensions.JSONSchemaProps, f protoreflect.FieldDescriptor, rules *validate.FieldRules) error {
	typed, ok := typedRules(rules)
	if !ok {
		return nil
	}
	if len(typed.GetUnknown()) > 0 {
		return fmt.Errorf("%s has an unknown rule: link the Go code of its proto", typed.Descriptor().Name())
	}
	var limits durations
	var err error
	rangeSorted(typed, func(rule protoreflect.FieldDescriptor, limit protoreflect.Value) {
		switch {
		case err != nil || rule.Name() == "example":
		case rule.IsExtension():
			err = addPredefined(s, f, rule, limit)
		case isDuration(f):
			err = limits.add(rule, limit)
		case f.Kind() == protoreflect.StringKind:
			err = textRule(s, rule, limit)
		case f.Kind() == protoreflect.EnumKind && rule.Name() == "defined_only":
		case f.Kind() != protoreflect.EnumKind:
			err = bound(s, rule, limit)
		default:
			err = unsupported(rule)
		}
	})
	limits.apply(s)
	fraction(s)
	return err
}

// fraction repeats limits with a fraction in CEL: the API server rounds them down when it compares them with a whole number, so 0 would be at least 0.5.
func fraction(s *apiextensions.JSONSchemaProps) {
	var conditions, words []string
	add := func(limit *float64, strict bool, operator, word string) {
		if limit == nil || *limit == math.Trunc(*limit) {
			return
		}
		text := strconv.FormatFloat(*limit, 'f', -1, 64)
		if !strict {
			operator += "="
		}
		conditions = append(conditions, "self "+operator+" "+text)
		words = append(words, word+" "+text)
	}
	add(s.Minimum, s.ExclusiveMinimum, ">", map[bool]string{true: "above", false: "at least"}[s.ExclusiveMinimum])
	add(s.Maximum, s.ExclusiveMaximum, "<", map[bool]string{true: "below", false: "at most"}[s.ExclusiveMaximum])
	if len(conditions) > 0 {
		s.XValidations = append(s.XValidations, apiextensions.ValidationRule{Rule: join(conditions, " && "), Message: "must be " + join(words, " and ")})
	}
}

func unsupported(rule protoreflect.FieldDescriptor) error {
	return fmt.Errorf("rule %s.%s is not supported", rule.Parent().Name(), rule.Name())
}

// textRule adds a rule for a string.
func textRule(s *apiextensions.JSONSchemaProps, rule protoreflect.FieldDescriptor, limit protoreflect.Value) error {
	switch rule.Name() {
	case "min_len":
		s.MinLength = new(int64(limit.Uint()))
	case "max_len":
		s.MaxLength = new(int64(limit.Uint()))
	case "pattern":
		s.Pattern = limit.String()
	case "in":
		for i := range limit.List().Len() {
			s.Enum = append(s.Enum, text(limit.List().Get(i).String()))
		}
	default:
		return unsupported(rule)
	}
	return nil
}

// bound adds a limit of a number.
func bound(s *apiextensions.JSONSchemaProps, rule protoreflect.FieldDescriptor, limit protoreflect.Value) error {
	var number float64
	switch kind := rule.Kind(); {
	case rule.IsList():
		return unsupported(rule)
	case kind == protoreflect.DoubleKind:
		number = limit.Float()
	case kind == protoreflect.Uint32Kind:
		number = float64(limit.Uint())
	case kind == protoreflect.Int32Kind:
		number = float64(limit.Int())
	default:
		return unsupported(rule)
	}
	switch rule.Name() {
	case "gt", "gte":
		s.Minimum, s.ExclusiveMinimum = &number, rule.Name() == "gt"
	case "lt", "lte":
		s.Maximum, s.ExclusiveMaximum = &number, rule.Name() == "lt"
	default:
		return unsupported(rule)
	}
	return nil
}

// durations are the limits of a duration, which OpenAPI does not compare.
type durations struct{ rules, conditions, words []string }

func (d *durations) add(rule protoreflect.FieldDescriptor, limit protoreflect.Value) error {
	forms := map[protoreflect.Name][2]string{"gt": {">", "above "}, "gte": {">=", "at least "}, "lt": {"<", "below "}, "lte": {"<=", "at most "}}
	form, ok := forms[rule.Name()]
	if !ok || rule.Message() == nil {
		return unsupported(rule)
	}
	value := &durationpb.Duration{}
	proto.Merge(value, limit.Message().Interface())
	words := durationText(value.AsDuration())
	d.conditions = append(d.conditions, fmt.Sprintf("duration(self) %s duration('%s')", form[0], words))
	d.words = append(d.words, form[1]+words)
	d.rules = append(d.rules, string(rule.Name()))
	return nil
}

func (d *durations) apply(s *apiextensions.JSONSchemaProps) {
	if len(d.conditions) == 0 {
		return
	}
	// The numbers of upper limits are lower in the proto of protovalidate.
	slices.Reverse(d.conditions)
	slices.Reverse(d.words)
	words := join(d.words, " and ")
	if slices.Equal(d.rules, []string{"lte", "gte"}) {
		words = "from " + strings.TrimPrefix(d.words[0], "at least ") + " to " + strings.TrimPrefix(d.words[1], "at most ")
	}
	s.XValidations = append(s.XValidations, apiextensions.ValidationRule{Rule: join(d.conditions, " && "), Message: "must be " + words})
}

// durationText returns a duration without parts that are zero: 8760h.
func durationText(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// rangeSorted calls with for each rule that is set, in the order of their numbers.
func rangeSorted(rules protoreflect.Message, with func(protoreflect.FieldDescriptor, protoreflect.Value)) {
	var all []protoreflect.FieldDescriptor
	rules.Range(func(f protoreflect.FieldDescriptor, _ protoreflect.Value) bool {
		all = append(all, f)
		return true
	})
	slices.SortFunc(all, func(a, b protoreflect.FieldDescriptor) int { return int(a.Number()) - int(b.Number()) })
	for _, f := range all {
		with(f, rules.Get(f))
	}
}

// typedRules returns the rules for the type of a field, such as StringRules.
func typedRules(rules *validate.FieldRules) (protoreflect.Message, bool) {
	if rules == nil {
		return nil, false
	}
	m := rules.ProtoReflect()
	f := m.WhichOneof(m.Descriptor().Oneofs().ByName("type"))
	if f == nil {
		return nil, false
	}
	return m.Get(f).Message(), true
}

func isDuration(f protoreflect.FieldDescriptor) bool {
	return f.Message() != nil && f.Message().FullName() == "google.protobuf.Duration"
}

func quote(s string) string {
	if strings.ContainsAny(s, "'\\") || strconv.Quote(s) != `"`+s+`"` {
		return strconv.Quote(s)
	}
	return "'" + s + "'"
}
