package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"
)

// typed returns the rules for the type of a value, such as StringRules. It is not valid if there are none.
func typed(rules *validate.FieldRules) (all protoreflect.Message, ok bool) {
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

// standard writes the checks of the rules for a single value of a scalar type, and of a duration.
func (g *generator) standard(v value) error {
	rules, ok := typed(v.rules)
	if !ok {
		return nil
	}
	var bounds bounds
	var err error
	for f, limit := range sorted(rules) {
		if err != nil {
			break
		}
		switch name := string(f.Name()); {
		case f.IsExtension():
			err = g.predefined(v, f, limit)
		case name == "gt" || name == "gte":
			bounds.set(&bounds.lower, name, f, limit)
		case name == "lt" || name == "lte":
			bounds.set(&bounds.upper, name, f, limit)
		case name == "example":
		case v.field.Kind() == protoreflect.StringKind:
			err = g.text(v, name, limit)
		case name == "defined_only" && v.field.Kind() == protoreflect.EnumKind:
			g.printf("if _, ok := policyv1.%s_name[int32(%s)]; !ok {\n", goName(v.field.Enum()), v.expr)
			g.broken(v.at, "enum.defined_only", `"is unknown"`, example(v.rules))
			g.printf("}\n")
		default:
			err = fmt.Errorf("rule %s.%s is not supported", rules.Descriptor().Name(), name)
		}
	}
	if err != nil || bounds.lower == nil && bounds.upper == nil {
		return err
	}
	return g.bounded(v, bounds)
}

// sorted ranges over the rules that are set, in the order of their numbers.
func sorted(rules protoreflect.Message) func(yield func(protoreflect.FieldDescriptor, protoreflect.Value) bool) {
	var all []protoreflect.FieldDescriptor
	rules.Range(func(f protoreflect.FieldDescriptor, _ protoreflect.Value) bool {
		all = append(all, f)
		return true
	})
	slices.SortFunc(all, func(a, b protoreflect.FieldDescriptor) int { return int(a.Number()) - int(b.Number()) })
	return func(yield func(protoreflect.FieldDescriptor, protoreflect.Value) bool) {
		for _, f := range all {
			if !yield(f, rules.Get(f)) {
				return
			}
		}
	}
}

func (g *generator) text(v value, name string, limit protoreflect.Value) error {
	var condition, why string
	switch name {
	case "min_len":
		condition = fmt.Sprintf("utf8.RuneCountInString(%s) < %d", v.expr, limit.Uint())
		why = fmt.Sprintf("%q", fmt.Sprintf("has fewer than %d characters", limit.Uint()))
		if limit.Uint() == 1 {
			condition, why = v.expr+` == ""`, `"is empty"`
		}
	case "max_len":
		condition = fmt.Sprintf("utf8.RuneCountInString(%s) > %d", v.expr, limit.Uint())
		why = fmt.Sprintf("%q", fmt.Sprintf("has more than %d characters", limit.Uint()))
	case "in":
		var quoted, plain []string
		for i := range limit.List().Len() {
			plain = append(plain, limit.List().Get(i).String())
			quoted = append(quoted, strconv.Quote(plain[i]))
		}
		condition = fmt.Sprintf("!slices.Contains([]string{%s}, %s)", strings.Join(quoted, ", "), v.expr)
		why = quoting(v, "is not "+either(plain, "or"))
	default:
		return fmt.Errorf("rule string.%s is not supported", name)
	}
	g.printf("if %s {\n", condition)
	g.broken(v.at, "string."+name, why, example(v.rules))
	g.printf("}\n")
	return nil
}

// bounds are the limits of a number or a duration.
type bounds struct{ lower, upper *bound }

// bound is one limit: its rule, such as gte, as Go code and as text.
type bound struct{ rule, code, text string }

func (*bounds) set(b **bound, rule string, f protoreflect.FieldDescriptor, limit protoreflect.Value) {
	*b = &bound{rule: rule}
	switch {
	case f.Message() != nil:
		d := limit.Message().Interface().(*durationpb.Duration).AsDuration()
		(*b).code, (*b).text = fmt.Sprintf("time.Duration(%d)", d), durationText(d)
	case f.Kind() == protoreflect.DoubleKind:
		(*b).code = strconv.FormatFloat(limit.Float(), 'g', -1, 64)
		(*b).text = strconv.FormatFloat(limit.Float(), 'f', -1, 64)
	default:
		(*b).code = limit.String()
		(*b).text = limit.String()
	}
}

// bounded writes the check of a range. NaN is in none.
func (g *generator) bounded(v value, b bounds) error {
	kind := strings.ToLower(v.field.Kind().String())
	expr := v.expr
	if isDuration(v.field) {
		kind, expr = "duration", v.expr+".AsDuration()"
	}
	var conditions, rules, words []string
	if l := b.lower; l != nil {
		conditions = append(conditions, expr+map[string]string{"gt": " > ", "gte": " >= "}[l.rule]+l.code)
		rules = append(rules, l.rule)
		words = append(words, map[string]string{"gt": "above ", "gte": "at least "}[l.rule]+l.text)
	}
	if u := b.upper; u != nil {
		conditions = append(conditions, expr+map[string]string{"lt": " < ", "lte": " <= "}[u.rule]+u.code)
		rules = append(rules, u.rule)
		words = append(words, map[string]string{"lt": "below ", "lte": "at most "}[u.rule]+u.text)
	}
	why := strings.Join(words, " and ")
	if len(rules) == 2 && rules[0] == "gte" && rules[1] == "lte" {
		why = "from " + b.lower.text + " to " + b.upper.text
	}
	// A comparison that is always true is left out, so that the linter does not see it.
	if v.field.Kind() == protoreflect.Uint32Kind && b.lower != nil && b.lower.rule == "gte" && b.lower.code == "0" {
		return fmt.Errorf("uint32.gte = 0 has no effect")
	}
	g.printf("if !(%s) {\n", strings.Join(conditions, " && "))
	g.broken(v.at, kind+"."+strings.Join(rules, "_"), fmt.Sprintf("%q", "must be "+why), example(v.rules))
	g.printf("}\n")
	return nil
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
