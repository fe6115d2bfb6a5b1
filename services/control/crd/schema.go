// Package crd generates the schema of a custom resource from a message: its fields, their comments, and the protovalidate rules for their values. A schema
// is structural, and what OpenAPI cannot express becomes rules in CEL, which the API server evaluates at admission.
//
//	repeated Rule rules = 1 [max_items]  ──▶  array with maxItems
//	google.protobuf.Duration d = 2 [gte]  ──▶  string with a pattern and duration(self) >= duration('1ms')
//	oneof kind {…} [required]             ──▶  has(self.a) || has(self.b)
//	cel: this.a || !has(this.b)           ──▶  has(self.a) && self.a || !has(self.b)
//
// Values are written as package policy reads them. A rule without a translation is an error, as is a field without a comment, or a text, list or map without
// an upper limit, whose rules could cost the API server any amount of time.
package crd

import (
	"errors"
	"fmt"
	"slices"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

// Schema returns the schema of a message. Its descriptor must come with comments, as from Files, and the Go code of rules of our own must be linked.
func Schema(d protoreflect.MessageDescriptor) (*apiextensions.JSONSchemaProps, error) {
	return message(d, nil)
}

// message returns the schema of a message within others.
func message(d protoreflect.MessageDescriptor, within []protoreflect.FullName) (*apiextensions.JSONSchemaProps, error) {
	if slices.Contains(within, d.FullName()) {
		return nil, fmt.Errorf("%s contains itself", d.FullName())
	}
	within = append(slices.Clone(within), d.FullName())
	s := &apiextensions.JSONSchemaProps{Type: "object", Description: renamed(comment(d), d), Properties: map[string]apiextensions.JSONSchemaProps{}}
	for i := range d.Fields().Len() {
		f := d.Fields().Get(i)
		p, err := field(f, within)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.FullName(), err)
		}
		s.Properties[f.JSONName()] = *p
	}
	var err error
	if s.Required, err = required(d); err != nil {
		return nil, err
	}
	if err = oneofs(s, d); err != nil {
		return nil, err
	}
	rules, err := protovalidate.ResolveMessageRules(d)
	if err != nil {
		return nil, err
	}
	if len(rules.GetCelExpression()) > 0 || len(rules.GetOneof()) > 0 {
		return nil, fmt.Errorf("%s: only rules of kind cel are supported for messages, with an id and a message", d.FullName())
	}
	return s, addMessageRules(s, d, rules.GetCel())
}

// required returns the fields that must be written: those without which the message breaks a rule of the field.
func required(d protoreflect.MessageDescriptor) (names []string, err error) {
	var invalid *protovalidate.ValidationError
	switch err = protovalidate.Validate(dynamicpb.NewMessage(d)); {
	case err == nil:
		return nil, nil
	case !errors.As(err, &invalid):
		return nil, err
	}
	for _, v := range invalid.Violations {
		path := v.Proto.GetField().GetElements()
		if len(path) != 1 {
			continue
		}
		if f := d.Fields().ByNumber(protoreflect.FieldNumber(path[0].GetFieldNumber())); f != nil && !slices.Contains(names, f.JSONName()) {
			names = append(names, f.JSONName())
		}
	}
	return names, nil
}

// oneofs adds the rules that at most one member is set, and at least one if that is required.
func oneofs(s *apiextensions.JSONSchemaProps, d protoreflect.MessageDescriptor) error {
	for i := range d.Oneofs().Len() {
		o := d.Oneofs().Get(i)
		if o.IsSynthetic() {
			continue
		}
		rules, err := protovalidate.ResolveOneofRules(o)
		if err != nil {
			return err
		}
		var has, names []string
		for j := range o.Fields().Len() {
			names = append(names, o.Fields().Get(j).JSONName())
			has = append(has, "has(self."+escaped(o.Fields().Get(j))+")")
		}
		if rules.GetRequired() {
			s.XValidations = append(s.XValidations, apiextensions.ValidationRule{Rule: join(has, " || "), Message: "has none of " + either(names, "and")})
		}
		if len(names) > 1 {
			s.XValidations = append(s.XValidations, apiextensions.ValidationRule{
				Rule: "[" + join(has, ", ") + "].filter(x, x).size() <= 1", Message: "can have only one of " + either(names, "and")})
		}
	}
	return nil
}

// field returns the schema of a field.
func field(f protoreflect.FieldDescriptor, within []protoreflect.FullName) (*apiextensions.JSONSchemaProps, error) {
	rules, err := protovalidate.ResolveFieldRules(f)
	if err != nil {
		return nil, err
	}
	if i := rules.GetIgnore(); i != validate.Ignore_IGNORE_UNSPECIFIED {
		return nil, fmt.Errorf("ignore is not supported: make the field optional")
	}
	var s *apiextensions.JSONSchemaProps
	switch {
	case f.IsMap():
		s, err = mapOf(f, rules, within)
	case f.IsList():
		s, err = listOf(f, rules, within)
	default:
		s, err = single(f, rules, within)
	}
	if err != nil {
		return nil, err
	}
	if s.Description = describe(f); s.Description == "" {
		return nil, fmt.Errorf("has no comment, which would be its documentation")
	}
	return s, nil
}

// single returns the schema of one value: of a field, an item of a list, or a value of a map.
func single(f protoreflect.FieldDescriptor, rules *validate.FieldRules, within []protoreflect.FullName) (*apiextensions.JSONSchemaProps, error) {
	if isDuration(f) || f.Message() == nil {
		return scalar(f, rules)
	}
	if typed, ok := typedRules(rules); ok {
		return nil, fmt.Errorf("rules of type %s are not supported", typed.Descriptor().Name())
	}
	s, err := message(f.Message(), within)
	if err != nil {
		return nil, err
	}
	return s, addFieldRules(s, f, rules)
}

func listOf(f protoreflect.FieldDescriptor, rules *validate.FieldRules, within []protoreflect.FullName) (*apiextensions.JSONSchemaProps, error) {
	list := rules.GetRepeated()
	if len(rules.GetCel()) > 0 || len(rules.GetCelExpression()) > 0 {
		return nil, fmt.Errorf("rules in CEL about a list are not supported")
	}
	if !list.HasMaxItems() {
		return nil, fmt.Errorf("has no maximum number of items: add repeated.max_items")
	}
	items, err := single(f, list.GetItems(), within)
	if err != nil {
		return nil, err
	}
	s := &apiextensions.JSONSchemaProps{Type: "array", Items: &apiextensions.JSONSchemaPropsOrArray{Schema: items}}
	s.MaxItems = new(int64(list.GetMaxItems()))
	if list.HasMinItems() {
		s.MinItems = new(int64(list.GetMinItems()))
	}
	// A list of type set would report the item, not the list.
	if list.GetUnique() {
		s.XValidations = append(s.XValidations, apiextensions.ValidationRule{Rule: "self.all(x, self.exists_one(y, x == y))", Message: "has an item twice"})
	}
	return s, nil
}

func mapOf(f protoreflect.FieldDescriptor, rules *validate.FieldRules, within []protoreflect.FullName) (*apiextensions.JSONSchemaProps, error) {
	m := rules.GetMap()
	if f.MapKey().Kind() != protoreflect.StringKind {
		return nil, fmt.Errorf("only maps with keys of text are supported")
	}
	if len(rules.GetCel()) > 0 || len(rules.GetCelExpression()) > 0 {
		return nil, fmt.Errorf("rules in CEL about a map are not supported")
	}
	if !m.HasMaxPairs() {
		return nil, fmt.Errorf("has no maximum number of entries: add map.max_pairs")
	}
	value, err := single(f.MapValue(), m.GetValues(), within)
	if err != nil {
		return nil, err
	}
	s := &apiextensions.JSONSchemaProps{Type: "object", AdditionalProperties: &apiextensions.JSONSchemaPropsOrBool{Allows: true, Schema: value}}
	s.MaxProperties = new(int64(m.GetMaxPairs()))
	if m.HasMinPairs() {
		s.MinProperties = new(int64(m.GetMinPairs()))
	}
	return s, addKeyRules(s, f.MapKey(), m.GetKeys())
}
