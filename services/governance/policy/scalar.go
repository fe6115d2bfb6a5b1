package policy

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"
)

func isDuration(fd protoreflect.FieldDescriptor) bool {
	return fd.Message() != nil && fd.Message().FullName() == "google.protobuf.Duration"
}

// scalar parses a value of the field's type.
func (r *reader) scalar(fd protoreflect.FieldDescriptor, n *yaml.Node, at string) (protoreflect.Value, bool) {
	none := protoreflect.Value{}
	if n.Kind != yaml.ScalarNode {
		r.wrong(n, at, "must be a single value")
		return none, false
	}
	r.values[at] = n.Value
	if isDuration(fd) {
		d, err := time.ParseDuration(n.Value)
		if err != nil {
			r.wrongTry(n, at, fmt.Sprintf("%q is not a duration", n.Value), durationHint(n.Value))
			return none, false
		}
		return protoreflect.ValueOfMessage(durationpb.New(d).ProtoReflect()), true
	}
	switch fd.Kind() {
	case protoreflect.BoolKind:
		if n.Tag != "!!bool" {
			r.wrongTry(n, at, fmt.Sprintf("%q is not true or false", n.Value), boolHint(n.Value))
			return none, false
		}
		return protoreflect.ValueOfBool(n.Value == "true" || n.Value == "True" || n.Value == "TRUE"), true
	case protoreflect.Uint32Kind:
		v, err := strconv.ParseUint(n.Value, 10, 32)
		if err != nil {
			r.wrongTry(n, at, fmt.Sprintf("%q is not a whole number from 0 to %d", n.Value, uint32(math.MaxUint32)), numberHint(fd, n.Value))
			return none, false
		}
		return protoreflect.ValueOfUint32(uint32(v)), true
	case protoreflect.DoubleKind:
		v, err := strconv.ParseFloat(n.Value, 64)
		if err != nil {
			r.wrongTry(n, at, fmt.Sprintf("%q is not a number", n.Value), numberHint(fd, n.Value))
			return none, false
		}
		return protoreflect.ValueOfFloat64(v), true
	case protoreflect.EnumKind:
		return r.enum(fd.Enum(), n, at)
	// Strings. The proto has no other kinds of fields, which a test checks.
	default:
		return protoreflect.ValueOfString(n.Value), true
	}
}

// enum accepts both "low" and "PRIORITY_LOW".
func (r *reader) enum(d protoreflect.EnumDescriptor, n *yaml.Node, at string) (protoreflect.Value, bool) {
	var known []string
	for i := 1; i < d.Values().Len(); i++ {
		v := d.Values().Get(i)
		short := enumText(d, v.Number())
		if n.Value == short || n.Value == string(v.Name()) {
			return protoreflect.ValueOfEnum(v.Number()), true
		}
		known = append(known, short)
	}
	r.wrongTry(n, at, fmt.Sprintf("%q is unknown", n.Value), strings.Join(known, ", "))
	return protoreflect.Value{}, false
}
