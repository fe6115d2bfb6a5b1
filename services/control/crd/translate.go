package crd

import (
	"fmt"
	"strconv"
	"strings"

	pvcel "buf.build/go/protovalidate/cel"
	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// translate translates an expression about a message to one about its text form. The differences: this is self, fields have the names of JSON, a field that
// is not written is absent instead of zero, whole numbers have one type, durations and enums are text.
func translate(expression string, this *cel.Type, file protoreflect.FileDescriptor) (string, error) {
	env, err := cel.NewEnv(cel.Lib(pvcel.NewLibrary()), cel.TypeDescs(file), cel.EnableMacroCallTracking(), cel.Variable("this", this))
	if err != nil {
		return "", err
	}
	checked, issues := env.Compile(expression)
	if err := issues.Err(); err != nil {
		return "", err
	}
	if !checked.OutputType().IsExactType(cel.BoolType) {
		return "", fmt.Errorf("must have a result of type bool")
	}
	native := checked.NativeRep()
	t := &translation{native: native, file: file, vars: map[string]string{"this": "self"}}
	text, _, err := t.expr(native.Expr())
	return text, err
}

// translation is an expression during its translation.
type translation struct {
	native *ast.AST
	file   protoreflect.FileDescriptor
	// vars has the translation of each variable.
	vars map[string]string
}

// binding says how strongly the operator of an expression binds. A weaker one needs parentheses within a stronger one.
type binding int

const (
	conditional binding = iota
	or
	and
	relation
	unary
	primary
)

// expr returns the text of an expression.
func (t *translation) expr(x ast.Expr) (string, binding, error) {
	switch x.Kind() {
	case ast.IdentKind:
		if name, ok := t.vars[x.AsIdent()]; ok {
			return name, primary, nil
		}
	case ast.LiteralKind:
		text, err := literal(x)
		return text, primary, err
	case ast.SelectKind:
		if x.AsSelect().IsTestOnly() {
			return t.has(x.AsSelect())
		}
		return t.value(x)
	case ast.CallKind:
		return t.call(x.AsCall())
	case ast.ListKind:
		items, err := t.all(x.AsList().Elements())
		return "[" + join(items, ", ") + "]", primary, err
	case ast.ComprehensionKind:
		return t.macro(x)
	}
	return "", 0, fmt.Errorf("an expression of kind %v has no translation", x.Kind())
}

// within returns the text of an expression, in parentheses if it binds more weakly than what is around it.
func (t *translation) within(x ast.Expr, least binding) (string, error) {
	text, strength, err := t.expr(x)
	if strength < least {
		text = "(" + text + ")"
	}
	return text, err
}

func (t *translation) all(xs []ast.Expr) (texts []string, err error) {
	for _, x := range xs {
		text, _, err := t.expr(x)
		if err != nil {
			return nil, err
		}
		texts = append(texts, text)
	}
	return texts, nil
}

func literal(x ast.Expr) (string, error) {
	switch v := x.AsLiteral().(type) {
	case types.Bool, types.Int, types.Uint:
		return fmt.Sprint(v.Value()), nil
	case types.Double:
		text := strconv.FormatFloat(float64(v), 'g', -1, 64)
		if !strings.ContainsAny(text, ".e") {
			text += ".0"
		}
		return text, nil
	case types.String:
		return quote(string(v)), nil
	}
	return "", fmt.Errorf("a literal of type %s has no translation", x.AsLiteral().Type())
}

// access returns the text for a field, and the condition that it is there: has(self.a) && has(self.a.b).
func (t *translation) access(s ast.SelectExpr) (text, there string, f protoreflect.FieldDescriptor, err error) {
	if f, err = t.field(s); err != nil {
		return "", "", nil, err
	}
	if s.Operand().Kind() == ast.SelectKind {
		outer, there, _, err := t.access(s.Operand().AsSelect())
		text = outer + "." + escaped(f)
		return text, there + " && has(" + text + ")", f, err
	}
	operand, err := t.within(s.Operand(), primary)
	text = operand + "." + escaped(f)
	return text, "has(" + text + ")", f, err
}

// value translates the value of a field, with the zero value if it is absent. The API server cannot estimate the cost of optional values of CEL, such as
// self.?a.orValue(”).
func (t *translation) value(x ast.Expr) (string, binding, error) {
	text, there, f, err := t.access(x.AsSelect())
	if err != nil {
		return "", 0, err
	}
	if f.Enum() != nil && !f.IsList() {
		return "", 0, fmt.Errorf("%s can only be compared with == or != to one of its values, on the right", f.FullName())
	}
	if f.Kind() == protoreflect.BoolKind && !f.IsList() {
		return there + " && " + text, and, nil
	}
	zero, err := zeroOf(f)
	text = there + " ? " + text + " : " + zero
	if isDuration(f) && !f.IsList() {
		return "duration(" + text + ")", primary, err
	}
	return text, conditional, err
}

// zeroOf returns the text of the zero value of a field.
func zeroOf(f protoreflect.FieldDescriptor) (string, error) {
	switch kind := f.Kind(); {
	case f.IsMap():
		return "{}", nil
	case f.IsList():
		return "[]", nil
	case isDuration(f):
		return "'0s'", nil
	case kind == protoreflect.StringKind || kind == protoreflect.EnumKind:
		return "''", nil
	case kind == protoreflect.BoolKind:
		return "false", nil
	case kind == protoreflect.DoubleKind:
		return "0.0", nil
	case kind == protoreflect.Uint32Kind || kind == protoreflect.Int32Kind:
		return "0", nil
	}
	return "", fmt.Errorf("the value of field %s has no translation", f.FullName())
}

// has translates has of a field. Without presence, it means that the value is not zero.
func (t *translation) has(s ast.SelectExpr) (string, binding, error) {
	text, there, f, err := t.access(s)
	if err != nil {
		return "", 0, err
	}
	zero, err := zeroOf(f)
	switch {
	case f.IsList() || f.IsMap():
		return there + " && " + text + ".size() > 0", and, nil
	case f.HasPresence() && strings.Contains(there, "&&"):
		return there, and, nil
	case f.HasPresence():
		return there, primary, nil
	case f.Kind() == protoreflect.BoolKind:
		return there + " && " + text, and, nil
	}
	return there + " && " + text + " != " + zero, and, err
}

func (t *translation) field(s ast.SelectExpr) (protoreflect.FieldDescriptor, error) {
	name := protoreflect.FullName(t.native.GetType(s.Operand().ID()).TypeName())
	if m := findMessage(t.file, name); m != nil {
		if f := m.Fields().ByName(protoreflect.Name(s.FieldName())); f != nil {
			return f, nil
		}
	}
	return nil, fmt.Errorf("field %s of %s has no translation", s.FieldName(), name)
}

// macro translates all, exists and exists_one.
func (t *translation) macro(x ast.Expr) (string, binding, error) {
	m, ok := t.native.SourceInfo().GetMacroCall(x.ID())
	if !ok || len(m.AsCall().Args()) != 2 {
		return "", 0, fmt.Errorf("a comprehension has no translation")
	}
	name, loop := m.AsCall().FunctionName(), x.AsComprehension()
	if name != "all" && name != "exists" && name != "exists_one" {
		return "", 0, fmt.Errorf("macro %s has no translation", name)
	}
	list, err := t.within(loop.IterRange(), primary)
	if err != nil {
		return "", 0, err
	}
	inner := translation{native: t.native, file: t.file, vars: map[string]string{}}
	for variable, text := range t.vars {
		inner.vars[variable] = text
	}
	inner.vars[loop.IterVar()] = loop.IterVar()
	// The body of all and exists is the second operand of the step, and that of exists_one its condition.
	step := loop.LoopStep().AsCall().Args()
	body, _, err := inner.expr(step[map[string]int{"all": 1, "exists": 1}[name]])
	return fmt.Sprintf("%s.%s(%s, %s)", list, name, loop.IterVar(), body), primary, err
}
