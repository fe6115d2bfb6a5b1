package traffic

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/grpc-sandbox/sandbox/services/governance/policy"
)

// Leaf is a field of a specification with a single value.
type Leaf struct {
	// Field is its path, such as methods[0].deadline.timeout.
	Field string
	// Value is as it is written in a file.
	Value string
}

// Leaves returns the fields of a message that are set, in the order of their numbers. A map, a list of single values and a message without fields
// count as one value.
func Leaves(m proto.Message) (all []Leaf) {
	return appendLeaves(nil, m.ProtoReflect(), "")
}

func appendLeaves(all []Leaf, m protoreflect.Message, at string) []Leaf {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		if !m.Has(fd) {
			continue
		}
		value, name := m.Get(fd), at+fd.JSONName()
		switch {
		case fd.IsList() && fd.Message() != nil:
			for j := range value.List().Len() {
				all = appendGroup(all, value.List().Get(j).Message(), fmt.Sprintf("%s[%d]", name, j))
			}
		case fd.Message() != nil && !fd.IsMap() && !fd.IsList() && fd.Message().FullName() != "google.protobuf.Duration":
			all = appendGroup(all, value.Message(), name)
		default:
			all = append(all, Leaf{name, policy.Text(fd, value)})
		}
	}
	return all
}

func appendGroup(all []Leaf, m protoreflect.Message, at string) []Leaf {
	inner := appendLeaves(nil, m, at+".")
	if len(inner) == 0 {
		return append(all, Leaf{at, "{}"})
	}
	return append(all, inner...)
}

// below returns the rest of a path behind a field that contains it.
func below(path, field string) (rest string, ok bool) {
	rest, ok = strings.CutPrefix(path, field)
	return rest, ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
}
