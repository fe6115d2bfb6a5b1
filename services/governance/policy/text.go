package policy

import (
	"fmt"
	"sort"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// Text returns a value of a policy as it is written in a file, in one line: {timeout: 250ms, none: true}. Parse reads it back.
func Text(fd protoreflect.FieldDescriptor, v protoreflect.Value) string {
	switch {
	case fd.IsMap():
		var all []string
		v.Map().Range(func(key protoreflect.MapKey, value protoreflect.Value) bool {
			all = append(all, fmt.Sprintf("%s: %s", quoted(key.String()), single(fd.MapValue(), value)))
			return true
		})
		sort.Strings(all)
		return "{" + strings.Join(all, ", ") + "}"
	case fd.IsList():
		var all []string
		for i := range v.List().Len() {
			all = append(all, single(fd, v.List().Get(i)))
		}
		return "[" + strings.Join(all, ", ") + "]"
	default:
		return single(fd, v)
	}
}

func single(fd protoreflect.FieldDescriptor, v protoreflect.Value) string {
	switch {
	case isDuration(fd):
		if d, ok := v.Message().Interface().(*durationpb.Duration); ok {
			return d.AsDuration().String()
		}
		return ""
	case fd.Message() != nil:
		return MessageText(v.Message().Interface())
	case fd.Enum() != nil:
		return enumText(fd.Enum(), v.Enum())
	case fd.Kind() == protoreflect.StringKind:
		return quoted(v.String())
	default:
		return fmt.Sprint(v.Interface())
	}
}

// FaultText describes the effect of a fault in one line, such as abort {code: UNAVAILABLE} 50 %.
func FaultText(f *policyv1.FaultSpec) string {
	r := f.ProtoReflect()
	kind := r.WhichOneof(r.Descriptor().Oneofs().ByName("kind"))
	if kind == nil {
		return "none"
	}
	text := string(kind.Name())
	if value := Text(kind, r.Get(kind)); value != "{}" {
		text += " " + value
	}
	if f.Percent != nil {
		text += fmt.Sprintf(" %g %%", f.GetPercent())
	}
	if f.GetShadow() {
		text += " in shadow mode"
	}
	return text
}

// quoted returns text as YAML needs it.
func quoted(text string) string {
	plain := text != "" && strings.Trim(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789./_-") == "" && strings.ContainsAny(text[:1], "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
	switch strings.ToLower(text) {
	case "true", "false", "null", "yes", "no", "on", "off", "y", "n":
		plain = false
	}
	if plain {
		return text
	}
	return fmt.Sprintf("%q", text)
}

// enumText returns the short name of an enum value, such as low.
func enumText(d protoreflect.EnumDescriptor, n protoreflect.EnumNumber) string {
	v := d.Values().ByNumber(n)
	if v == nil {
		return fmt.Sprint(n)
	}
	return strings.ToLower(strings.TrimPrefix(string(v.Name()), enumPrefix(d)))
}

// enumPrefix is the part of the names of an enum's values that files leave out.
func enumPrefix(d protoreflect.EnumDescriptor) string {
	return strings.TrimSuffix(string(d.Values().Get(0).Name()), "UNSPECIFIED")
}

// MessageText returns a message of a policy as it is written in a file, in one line.
func MessageText(m proto.Message) string {
	r := m.ProtoReflect()
	var all []string
	fields := r.Descriptor().Fields()
	for i := range fields.Len() {
		if f := fields.Get(i); r.Has(f) {
			all = append(all, f.JSONName()+": "+Text(f, r.Get(f)))
		}
	}
	return "{" + strings.Join(all, ", ") + "}"
}
