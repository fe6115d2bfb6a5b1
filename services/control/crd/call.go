package crd

import (
	"fmt"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// binaries are the operators between two operands.
var binaries = map[string]struct {
	text     string
	strength binding
}{
	operators.LogicalOr: {"||", or}, operators.LogicalAnd: {"&&", and},
	operators.Equals: {"==", relation}, operators.NotEquals: {"!=", relation}, operators.Less: {"<", relation}, operators.LessEquals: {"<=", relation},
	operators.Greater: {">", relation}, operators.GreaterEquals: {">=", relation}, operators.In: {"in", relation},
}

// methods are the functions that the API server has too, with the same meaning.
var methods = map[string]bool{"matches": true, "startsWith": true, "endsWith": true, "contains": true, "size": true, "duration": true}

func (t *translation) call(c ast.CallExpr) (string, binding, error) {
	name, args := c.FunctionName(), c.Args()
	if operator, ok := binaries[name]; ok {
		return t.binary(operator.text, operator.strength, args)
	}
	switch {
	case name == operators.LogicalNot:
		text, err := t.within(args[0], unary)
		return "!" + text, unary, err
	case name == operators.Conditional:
		parts := make([]string, len(args))
		for i, arg := range args {
			var err error
			if parts[i], err = t.within(arg, conditional+1); err != nil {
				return "", 0, err
			}
		}
		return fmt.Sprintf("%s ? %s : %s", parts[0], parts[1], parts[2]), conditional, nil
	case !methods[name]:
		return "", 0, fmt.Errorf("function %s has no translation", name)
	}
	texts, err := t.all(args)
	if err != nil || !c.IsMemberFunction() {
		return name + "(" + join(texts, ", ") + ")", primary, err
	}
	target, err := t.within(c.Target(), primary)
	return target + "." + name + "(" + join(texts, ", ") + ")", primary, err
}

func (t *translation) binary(operator string, strength binding, args []ast.Expr) (string, binding, error) {
	if f := t.enumField(args[0]); f != nil {
		return t.compareEnum(operator, args[0], args[1], f)
	}
	left, err := t.within(args[0], strength)
	if err != nil {
		return "", 0, err
	}
	// Comparisons cannot be chained.
	if strength == relation {
		strength++
	}
	right, err := t.within(args[1], strength)
	return left + " " + operator + " " + right, binaryStrength(operator), err
}

func binaryStrength(operator string) binding {
	for _, b := range binaries {
		if b.text == operator {
			return b.strength
		}
	}
	return relation
}

// enumField returns the field that an expression selects, if it is an enum.
func (t *translation) enumField(x ast.Expr) protoreflect.FieldDescriptor {
	if x.Kind() != ast.SelectKind || x.AsSelect().IsTestOnly() || t.constant(x) != nil {
		return nil
	}
	if f, err := t.field(x.AsSelect()); err == nil && f.Enum() != nil && !f.IsList() {
		return f
	}
	return nil
}

// compareEnum translates a comparison of an enum with one of its values.
func (t *translation) compareEnum(operator string, x, with ast.Expr, f protoreflect.FieldDescriptor) (string, binding, error) {
	number, ok := t.constant(with).(types.Int)
	value := f.Enum().Values().ByNumber(protoreflect.EnumNumber(number))
	if !ok || value == nil || operator != "==" && operator != "!=" {
		return "", 0, fmt.Errorf("%s can only be compared with == or != to one of its values", f.FullName())
	}
	path, there, _, err := t.access(x.AsSelect())
	name := enumName(value)
	if value.Index() == 0 {
		name = ""
	}
	return fmt.Sprintf("(%s ? %s : '') %s %s", there, path, operator, quote(name)), relation, err
}

// constant returns the value of a literal or of the name of an enum's value, or nil.
func (t *translation) constant(x ast.Expr) any {
	if ref, ok := t.native.ReferenceMap()[x.ID()]; ok && ref.Value != nil {
		return ref.Value
	}
	if x.Kind() == ast.LiteralKind {
		return x.AsLiteral()
	}
	return nil
}
