package main

import (
	"fmt"
	"strings"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"buf.build/go/protovalidate"
	pvcel "buf.build/go/protovalidate/cel"
	"cel.dev/cel-go/cel"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// celOfMessage writes the check of a rule whose this is a message, which is the variable named message.
func (g *generator) celOfMessage(d protoreflect.MessageDescriptor, rule *validate.Rule, message string) error {
	return g.celAt(value{expr: message, at: "at"}, d, rule)
}

// cels writes the checks of the rules in CEL for a value.
func (g *generator) cels(v value) error {
	if len(v.rules.GetCelExpression()) > 0 {
		return fmt.Errorf("cel_expression is not supported: use cel, with an id and a message")
	}
	for _, rule := range v.rules.GetCel() {
		var err error
		if v.field.Message() != nil && !v.field.IsMap() && !isDuration(v.field) {
			err = g.celAt(value{expr: v.expr, at: within(v.at)}, v.field.Message(), rule)
		} else {
			err = g.celOfScalar(v, rule)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// celAt writes the check of a rule about a message. If the id of the rule begins with the name of a field, its problem is at that field.
func (g *generator) celAt(v value, d protoreflect.MessageDescriptor, rule *validate.Rule) error {
	at, try := fmt.Sprintf("strings.TrimSuffix(%s, \".\")", v.at), ""
	first, _, _ := strings.Cut(rule.GetId(), ".")
	if f := d.Fields().ByName(protoreflect.Name(first)); f != nil {
		rules, err := protovalidate.ResolveFieldRules(f)
		if err != nil {
			return err
		}
		at, try = strings.TrimSuffix(v.at, `"`)+f.JSONName()+`"`, example(rules)
		if v.at == "at" {
			at = fmt.Sprintf("at+%q", f.JSONName())
		}
	}
	return g.holds(rule, cel.ObjectType(string(d.FullName())), v.expr, at, fmt.Sprintf("%q", rule.GetMessage()), try)
}

func (g *generator) celOfScalar(v value, rule *validate.Rule) error {
	if !v.isString() {
		return fmt.Errorf("rule %s: rules in CEL are supported for messages and strings", rule.GetId())
	}
	return g.holds(rule, cel.StringType, v.expr, v.at, quoting(v, rule.GetMessage()), example(v.rules))
}

// predefined writes the checks of a rule that one of our protos defines.
func (g *generator) predefined(v value, f protoreflect.FieldDescriptor, limit protoreflect.Value) error {
	if f.Kind() != protoreflect.BoolKind || !limit.Bool() {
		return fmt.Errorf("rule %s must be a bool that is true", f.FullName())
	}
	rules, err := protovalidate.ResolvePredefinedRules(f)
	if err != nil {
		return err
	}
	for _, rule := range rules.GetCel() {
		if err := g.celOfScalar(v, rule); err != nil {
			return err
		}
	}
	return nil
}

// holds writes the check of an expression whose this is a Go expression of a type.
func (g *generator) holds(rule *validate.Rule, this *cel.Type, expr, at, why, try string) error {
	broken, err := g.cel.translate(rule, this, expr)
	if err != nil {
		return fmt.Errorf("rule %s: %w", rule.GetId(), err)
	}
	g.printf("if %s {\n", broken)
	g.broken(at, rule.GetId(), why, try)
	g.printf("}\n")
	return nil
}

// compile parses and checks an expression in the environment of protovalidate.
func compile(rule *validate.Rule, this *cel.Type) (*cel.Ast, error) {
	env, err := cel.NewEnv(cel.Lib(pvcel.NewLibrary()), cel.EnableMacroCallTracking(), cel.Variable("this", this))
	if err != nil {
		return nil, err
	}
	ast, issues := env.Compile(rule.GetExpression())
	if err := issues.Err(); err != nil {
		return nil, err
	}
	if !ast.OutputType().IsExactType(cel.BoolType) || rule.GetMessage() == "" {
		return nil, fmt.Errorf("must have a message and a result of type bool")
	}
	return ast, nil
}
