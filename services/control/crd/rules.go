package crd

import (
	"fmt"
	"strings"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"buf.build/go/protovalidate"
	"cel.dev/cel-go/cel"
	"google.golang.org/protobuf/reflect/protoreflect"
	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

// addMessageRules adds rules in CEL whose this is a message. If the id of a rule begins with the name of a field, its problem is at that field.
func addMessageRules(s *apiextensions.JSONSchemaProps, d protoreflect.MessageDescriptor, rules []*validate.Rule) error {
	for _, rule := range rules {
		v, err := translated(rule, cel.ObjectType(string(d.FullName())), d)
		if err != nil {
			return fmt.Errorf("%s: %w", d.FullName(), err)
		}
		first, _, _ := strings.Cut(rule.GetId(), ".")
		if f := d.Fields().ByName(protoreflect.Name(first)); f != nil {
			v.FieldPath = "." + f.JSONName()
		}
		s.XValidations = append(s.XValidations, v)
	}
	return nil
}

// addFieldRules adds the rules in CEL of a single value.
func addFieldRules(s *apiextensions.JSONSchemaProps, f protoreflect.FieldDescriptor, rules *validate.FieldRules) error {
	if len(rules.GetCelExpression()) > 0 {
		return fmt.Errorf("cel_expression is not supported: use cel, with an id and a message")
	}
	if f.Message() != nil && !isDuration(f) {
		return addMessageRules(s, f.Message(), rules.GetCel())
	}
	return addScalarRules(s, f, rules.GetCel())
}

func addScalarRules(s *apiextensions.JSONSchemaProps, f protoreflect.FieldDescriptor, rules []*validate.Rule) error {
	types := map[protoreflect.Kind]*cel.Type{protoreflect.StringKind: cel.StringType, protoreflect.BoolKind: cel.BoolType,
		protoreflect.Uint32Kind: cel.UintType, protoreflect.Int32Kind: cel.IntType, protoreflect.DoubleKind: cel.DoubleType}
	for _, rule := range rules {
		this, ok := types[f.Kind()]
		if !ok {
			return fmt.Errorf("rule %s: rules in CEL for values of this type are not supported", rule.GetId())
		}
		v, err := translated(rule, this, f.ParentFile())
		if err != nil {
			return err
		}
		s.XValidations = append(s.XValidations, v)
	}
	return nil
}

// addPredefined adds a rule that one of our protos defines.
func addPredefined(s *apiextensions.JSONSchemaProps, f, rule protoreflect.FieldDescriptor, limit protoreflect.Value) error {
	if rule.Kind() != protoreflect.BoolKind || !limit.Bool() {
		return fmt.Errorf("rule %s must be a bool that is true", rule.FullName())
	}
	rules, err := protovalidate.ResolvePredefinedRules(rule)
	if err != nil {
		return err
	}
	return addScalarRules(s, f, rules.GetCel())
}

// addKeyRules adds the rules for the keys of a map, which OpenAPI does not have. Their problems are at the map.
func addKeyRules(s *apiextensions.JSONSchemaProps, key protoreflect.FieldDescriptor, rules *validate.FieldRules) error {
	typed, ok := typedRules(rules)
	if !ok {
		return addNone(rules)
	}
	var err error
	rangeSorted(typed, func(rule protoreflect.FieldDescriptor, limit protoreflect.Value) {
		switch rule.Name() {
		case "min_len":
			message := fmt.Sprintf("has a key with fewer than %d characters", limit.Uint())
			if limit.Uint() == 1 {
				message = "has an empty key"
			}
			s.XValidations = append(s.XValidations, apiextensions.ValidationRule{Rule: fmt.Sprintf("self.all(key, size(key) >= %d)", limit.Uint()), Message: message})
		case "max_len":
			s.XValidations = append(s.XValidations, apiextensions.ValidationRule{
				Rule: fmt.Sprintf("self.all(key, size(key) <= %d)", limit.Uint()), Message: fmt.Sprintf("has a key with more than %d characters", limit.Uint())})
		case "example":
		default:
			err = fmt.Errorf("for keys: %w", unsupported(rule))
		}
	})
	if err != nil {
		return err
	}
	return addNone(rules)
}

// addNone returns an error if there are rules in CEL, which are not supported for keys.
func addNone(rules *validate.FieldRules) error {
	if len(rules.GetCel()) > 0 || len(rules.GetCelExpression()) > 0 {
		return fmt.Errorf("rules in CEL about keys are not supported")
	}
	return nil
}

// translated returns a rule of the API server. scope is a message or file, whose types the expression may use.
func translated(rule *validate.Rule, this *cel.Type, scope protoreflect.Descriptor) (apiextensions.ValidationRule, error) {
	if rule.GetMessage() == "" {
		return apiextensions.ValidationRule{}, fmt.Errorf("rule %s: must have a message", rule.GetId())
	}
	expression, err := translate(rule.GetExpression(), this, scope.ParentFile())
	if err != nil {
		return apiextensions.ValidationRule{}, fmt.Errorf("rule %s: %w", rule.GetId(), err)
	}
	return apiextensions.ValidationRule{Rule: expression, Message: rule.GetMessage()}, nil
}
