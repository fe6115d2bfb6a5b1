package main

import (
	"fmt"
	"strconv"
	"strings"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// translator translates the part of CEL that our rules use to Go. Anything else is an error.
type translator struct {
	// pattern returns the variable for a regular expression.
	pattern func(string) string
}

// expression is one expression during its translation.
type expression struct {
	*translator
	types map[int64]*types.Type
	refs  map[int64]*ast.ReferenceInfo
	info  *ast.SourceInfo
	// vars has the Go code for each variable.
	vars map[string]string
}

// translate returns the condition under which a rule is broken. this is the Go code for the variable of that name.
func (t *translator) translate(rule *validate.Rule, kind *cel.Type, this string) (string, error) {
	checked, err := compile(rule, kind)
	if err != nil {
		return "", err
	}
	native := checked.NativeRep()
	e := &expression{t, native.TypeMap(), native.ReferenceMap(), native.SourceInfo(), map[string]string{"this": this}}
	if x := native.Expr(); x.Kind() == ast.CallKind && x.AsCall().FunctionName() == operators.LogicalNot {
		return e.code(x.AsCall().Args()[0])
	}
	code, err := e.code(native.Expr())
	return "!(" + code + ")", err
}

func (e *expression) code(x ast.Expr) (string, error) {
	// The value of an enum.
	if ref := e.refs[x.ID()]; ref != nil && ref.Value != nil {
		return fmt.Sprint(ref.Value.Value()), nil
	}
	switch x.Kind() {
	case ast.IdentKind:
		if name, ok := e.vars[x.AsIdent()]; ok {
			return name, nil
		}
	case ast.LiteralKind:
		return literal(x)
	case ast.SelectKind:
		return e.sel(x)
	case ast.CallKind:
		return e.call(x)
	case ast.ListKind:
		return e.list(x)
	case ast.ComprehensionKind:
		return e.macro(x)
	}
	return "", fmt.Errorf("an expression of kind %v has no translation", x.Kind())
}

func literal(x ast.Expr) (string, error) {
	switch v := x.AsLiteral().(type) {
	case types.Bool, types.Int, types.Uint:
		return fmt.Sprint(v.Value()), nil
	case types.Double:
		return strconv.FormatFloat(float64(v), 'g', -1, 64), nil
	case types.String:
		return strconv.Quote(string(v)), nil
	}
	return "", fmt.Errorf("a literal of type %s has no translation", x.AsLiteral().Type())
}

// sel translates a field, and has of a field.
func (e *expression) sel(x ast.Expr) (string, error) {
	s := x.AsSelect()
	operand, err := e.code(s.Operand())
	if err != nil {
		return "", err
	}
	f, err := e.field(s)
	if err != nil {
		return "", err
	}
	get := fmt.Sprintf("%s.Get%s()", operand, camel(f.Name()))
	switch {
	case !s.IsTestOnly() && isDuration(f):
		return get + ".AsDuration()", nil
	case !s.IsTestOnly():
		return get, nil
	case f.IsList() || f.IsMap():
		return "len(" + get + ") > 0", nil
	case f.Message() != nil:
		return get + " != nil", nil
	case f.HasPresence() && f.HasOptionalKeyword() && s.Operand().Kind() == ast.IdentKind:
		return fmt.Sprintf("%s.%s != nil", operand, camel(f.Name())), nil
	case !f.HasPresence() && f.Kind() == protoreflect.StringKind:
		return get + ` != ""`, nil
	case !f.HasPresence() && f.Kind() == protoreflect.BoolKind:
		return get, nil
	case !f.HasPresence():
		return get + " != 0", nil
	}
	return "", fmt.Errorf("has(%s) has no translation", f.FullName())
}

func (e *expression) field(s ast.SelectExpr) (protoreflect.FieldDescriptor, error) {
	name := e.types[s.Operand().ID()].TypeName()
	d, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(name))
	if err != nil {
		return nil, err
	}
	if m, ok := d.(protoreflect.MessageDescriptor); ok {
		if f := m.Fields().ByName(protoreflect.Name(s.FieldName())); f != nil {
			return f, nil
		}
	}
	return nil, fmt.Errorf("%s has no field %s", name, s.FieldName())
}

// calls are the operators and functions with a translation; each %s is an argument, the first one that of a method.
var calls = map[string]string{
	operators.LogicalNot: "!(%s)", operators.LogicalAnd: "(%s && %s)", operators.LogicalOr: "(%s || %s)", operators.Conditional: "choose(%s, %s, %s)",
	operators.Equals: "%s == %s", operators.NotEquals: "%s != %s", operators.Less: "%s < %s", operators.LessEquals: "%s <= %s",
	operators.Greater: "%s > %s", operators.GreaterEquals: "%s >= %s", operators.In: "slices.Contains(%[2]s, %[1]s)",
	"startsWith": "strings.HasPrefix(%s, %s)", "endsWith": "strings.HasSuffix(%s, %s)", "contains": "strings.Contains(%s, %s)",
}

func (e *expression) call(x ast.Expr) (string, error) {
	c := x.AsCall()
	args := c.Args()
	if c.IsMemberFunction() {
		args = append([]ast.Expr{c.Target()}, args...)
	}
	if c.FunctionName() == "matches" && len(args) == 2 && args[1].Kind() == ast.LiteralKind {
		text, err := e.code(args[0])
		return fmt.Sprintf("%s.MatchString(%s)", e.pattern(fmt.Sprint(args[1].AsLiteral().Value())), text), err
	}
	var code []any
	for _, arg := range args {
		text, err := e.code(arg)
		if err != nil {
			return "", err
		}
		code = append(code, text)
	}
	if c.FunctionName() == "size" {
		if e.types[args[0].ID()].IsExactType(cel.StringType) {
			return fmt.Sprintf("utf8.RuneCountInString(%s)", code...), nil
		}
		return fmt.Sprintf("len(%s)", code...), nil
	}
	form, ok := calls[c.FunctionName()]
	if !ok {
		return "", fmt.Errorf("function %s has no translation", c.FunctionName())
	}
	return fmt.Sprintf(form, code...), nil
}

// list translates a list of literals.
func (e *expression) list(x ast.Expr) (string, error) {
	element := e.types[x.ID()].Parameters()[0]
	name, ok := map[string]string{"string": "string", "uint": "uint32", "double": "float64"}[element.TypeName()]
	if !ok {
		return "", fmt.Errorf("a list of %s has no translation", element.TypeName())
	}
	var items []string
	for _, item := range x.AsList().Elements() {
		code, err := e.code(item)
		if err != nil {
			return "", err
		}
		items = append(items, code)
	}
	return fmt.Sprintf("[]%s{%s}", name, strings.Join(items, ", ")), nil
}

// macro translates all and exists over a list of messages or strings.
func (e *expression) macro(x ast.Expr) (string, error) {
	m, ok := e.info.GetMacroCall(x.ID())
	if !ok || len(m.AsCall().Args()) != 2 {
		return "", fmt.Errorf("a comprehension has no translation")
	}
	name := m.AsCall().FunctionName()
	if name != "all" && name != "exists" {
		return "", fmt.Errorf("macro %s has no translation", name)
	}
	list, err := e.code(x.AsComprehension().IterRange())
	if err != nil {
		return "", err
	}
	variable := x.AsComprehension().IterVar()
	item := e.types[x.AsComprehension().IterRange().ID()].Parameters()[0]
	goType := "string"
	if item.Kind() == types.StructKind {
		d, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(item.TypeName()))
		if err != nil {
			return "", err
		}
		goType = "*policyv1." + goName(d)
	}
	inner := *e
	inner.vars = map[string]string{variable: variable}
	for name, code := range e.vars {
		if name != variable {
			inner.vars[name] = code
		}
	}
	// The body is the second operand of the step, which is result && body or result || body.
	body, err := inner.code(x.AsComprehension().LoopStep().AsCall().Args()[1])
	if err != nil {
		return "", err
	}
	if name == "exists" {
		return fmt.Sprintf("slices.ContainsFunc(%s, func(%s %s) bool { return %s })", list, variable, goType, body), nil
	}
	return fmt.Sprintf("!slices.ContainsFunc(%s, func(%s %s) bool { return !(%s) })", list, variable, goType, body), nil
}
