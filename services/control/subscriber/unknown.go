package subscriber

import "google.golang.org/protobuf/reflect/protoreflect"

// unknownFields returns the name of a message with a field that this program does not know, or "". A policy of a later version of the control
// plane must be rejected as a whole: a field that is ignored would look like one that is enforced.
func unknownFields(m protoreflect.Message) (name string) {
	if len(m.GetUnknown()) > 0 {
		return string(m.Descriptor().FullName())
	}
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case fd.IsMap() || fd.Message() == nil:
		case fd.IsList():
			for i := range v.List().Len() {
				if name = unknownFields(v.List().Get(i).Message()); name != "" {
					return false
				}
			}
		default:
			name = unknownFields(v.Message())
		}
		return name == ""
	})
	return name
}
