package main

import (
	"fmt"
	"strconv"
	"strings"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// value is a value in the generated code: a field, an item, a key or a value of a map.
type value struct {
	field protoreflect.FieldDescriptor
	// rules may be nil.
	rules *validate.FieldRules
	// expr is the expression for the value, and at the one for its path, which ends with a literal.
	expr, at string
	// item is true for an item of a list, whose field is the list.
	item bool
}

// isString reports whether the value is a single string.
func (v value) isString() bool {
	return v.field.Kind() == protoreflect.StringKind && !v.field.IsMap() && (v.item || !v.field.IsList())
}

func (g *generator) field(f protoreflect.FieldDescriptor) error {
	rules, err := protovalidate.ResolveFieldRules(f)
	if err != nil {
		return err
	}
	switch rules.GetIgnore() {
	case validate.Ignore_IGNORE_ALWAYS:
		return nil
	case validate.Ignore_IGNORE_IF_ZERO_VALUE:
		return fmt.Errorf("ignore is not supported: make the field optional")
	}
	if rules == nil && !(isGroup(f) && checked(f.Message())) {
		return nil
	}
	v := value{field: f, rules: rules, expr: "v", at: fmt.Sprintf("at+%q", f.JSONName())}
	present := ""
	switch {
	case f.ContainingOneof() != nil && !f.ContainingOneof().IsSynthetic() && f.Message() == nil:
		return fmt.Errorf("a member of a oneof must be a message")
	case f.Message() != nil && !f.IsList() && !f.IsMap():
		present = fmt.Sprintf("v := m.Get%s(); v != nil", camel(f.Name()))
	case f.HasPresence():
		present = fmt.Sprintf("m.%s != nil", camel(f.Name()))
		v.expr = fmt.Sprintf("m.Get%s()", camel(f.Name()))
	default:
		v.expr = fmt.Sprintf("m.Get%s()", camel(f.Name()))
	}
	if present != "" {
		g.printf("if %s {\n", present)
	}
	if err := g.value(v); err != nil {
		return err
	}
	if present != "" {
		if rules.GetRequired() {
			g.printf("} else {\n")
			g.broken(v.at, "required", `"is missing"`, example(rules))
		}
		g.printf("}\n")
	} else if rules.GetRequired() {
		return fmt.Errorf("required needs a field with presence")
	}
	return nil
}

// value writes the checks of a value that is present.
func (g *generator) value(v value) error {
	if err := g.cels(v); err != nil {
		return err
	}
	switch {
	case v.field.IsMap():
		return g.entries(v)
	case v.field.IsList():
		return g.items(v)
	case isGroup(v.field):
		if _, ok := typed(v.rules); ok {
			return fmt.Errorf("rules for %s are not supported", v.field.Message().FullName())
		}
		g.printf("c.%s(%s, %s)\n", function(v.field.Message()), within(v.at), v.expr)
		return nil
	}
	return g.standard(v)
}

func (g *generator) items(list value) error {
	rules := list.rules.GetRepeated()
	if rules.GetUnique() && list.field.Kind() != protoreflect.StringKind {
		return fmt.Errorf("repeated.unique is supported for strings")
	}
	g.count(list, "repeated.min_items", "fewer", rules.HasMinItems(), "<", rules.GetMinItems(), "items")
	g.count(list, "repeated.max_items", "more", rules.HasMaxItems(), ">", rules.GetMaxItems(), "items")
	if rules.GetUnique() {
		g.printf("if len(slices.Compact(slices.Sorted(slices.Values(%s)))) < len(%s) {\n", list.expr, list.expr)
		g.broken(list.at, "repeated.unique", `"has an item twice"`, example(list.rules))
		g.printf("}\n")
	}
	group := isGroup(list.field)
	if rules.GetItems() == nil && !(group && checked(list.field.Message())) {
		return nil
	}
	g.printf("for i, v := range %s {\n", list.expr)
	item := value{field: list.field, rules: rules.GetItems(), expr: "v", at: fmt.Sprintf(`at+"%s["+strconv.Itoa(i)+"]"`, list.field.JSONName()), item: true}
	if err := g.cels(item); err != nil {
		return err
	}
	if group && checked(list.field.Message()) {
		g.printf("c.%s(%s, v)\n", function(list.field.Message()), within(item.at))
	} else if err := g.standard(item); err != nil {
		return err
	}
	g.printf("}\n")
	return nil
}

func (g *generator) entries(m value) error {
	rules := m.rules.GetMap()
	g.count(m, "map.min_pairs", "fewer", rules.HasMinPairs(), "<", rules.GetMinPairs(), "entries")
	g.count(m, "map.max_pairs", "more", rules.HasMaxPairs(), ">", rules.GetMaxPairs(), "entries")
	if m.field.MapKey().Kind() != protoreflect.StringKind || m.field.MapValue().Kind() != protoreflect.StringKind {
		return fmt.Errorf("only maps of strings are supported")
	}
	at := within(m.at) + "+key"
	g.printf("for _, key := range slices.Sorted(maps.Keys(%s)) {\n", m.expr)
	for _, v := range []value{
		{field: m.field.MapKey(), rules: rules.GetKeys(), expr: "key", at: at},
		{field: m.field.MapValue(), rules: rules.GetValues(), expr: m.expr + "[key]", at: at},
	} {
		if err := g.cels(v); err != nil {
			return err
		}
		if err := g.standard(v); err != nil {
			return err
		}
	}
	g.printf("}\n")
	return nil
}

func (g *generator) count(v value, rule, word string, set bool, operator string, limit uint64, of string) {
	why := fmt.Sprintf("has %s than %d %s", word, limit, of)
	if operator == "<" && limit == 1 {
		why = "is empty"
	}
	if set {
		g.printf("if len(%s) %s %d {\n", v.expr, operator, limit)
		g.broken(v.at, rule, strconv.Quote(why), example(v.rules))
		g.printf("}\n")
	}
}

// within returns the expression for the beginning of the paths of fields within the one at a path.
func within(at string) string { return strings.TrimSuffix(at, `"`) + `."` }
