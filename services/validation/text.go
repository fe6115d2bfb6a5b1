package validation

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
)

// Text returns INVALID_ARGUMENT with a violation for each string field, at any depth, that PostgreSQL cannot store: text must be UTF-8
// without the NUL character. It finds the fields by descriptor, so new fields of a request are checked too.
func Text(message proto.Message) error {
	var t texts
	t.message("", message.ProtoReflect())
	if len(t.violations) == 0 {
		return nil
	}
	return refusal.Fields(t.violations...)
}

// maxViolations bounds a refusal. With its field paths and descriptions it must fit into the 16 KiB of metadata that clients accept.
const maxViolations = 16

type texts struct {
	violations []*errdetails.BadRequest_FieldViolation
}

func (t *texts) message(path string, m protoreflect.Message) {
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		at := string(f.Name())
		if path != "" {
			at = path + "." + at
		}
		switch {
		case f.IsMap():
			v.Map().Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
				t.value(fmt.Sprintf("%s[%q]", at, k.String()), f.MapKey().Kind(), k.Value())
				t.value(fmt.Sprintf("%s[%q]", at, k.String()), f.MapValue().Kind(), v)
				return len(t.violations) < maxViolations
			})
		case f.IsList():
			for i := range v.List().Len() {
				t.value(fmt.Sprintf("%s[%d]", at, i), f.Kind(), v.List().Get(i))
			}
		default:
			t.value(at, f.Kind(), v)
		}
		return len(t.violations) < maxViolations
	})
}

func (t *texts) value(path string, kind protoreflect.Kind, v protoreflect.Value) {
	switch kind {
	case protoreflect.MessageKind, protoreflect.GroupKind:
		t.message(path, v.Message())
	case protoreflect.StringKind:
		if !storable(v.String()) && len(t.violations) < maxViolations {
			t.violations = append(t.violations, &errdetails.BadRequest_FieldViolation{
				Field: path, Description: "must be UTF-8 without the NUL character", Reason: "string.storable"})
		}
	}
}

func storable(s string) bool { return strings.IndexByte(s, 0) < 0 && utf8.ValidString(s) }
