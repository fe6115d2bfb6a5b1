package main

import (
	"fmt"
	"strings"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"
)

// quoting returns the code of a text that begins with the value, if that is a string.
func quoting(v value, why string) string {
	if v.isString() {
		return fmt.Sprintf("fmt.Sprintf(%q, %s)", "%q "+strings.ReplaceAll(why, "%", "%%"), v.expr)
	}
	return fmt.Sprintf("%q", why)
}

// either joins words: a, b or c.
func either(words []string, last string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " " + last + " " + words[len(words)-1]
}

// noneOf says that no member of a oneof is set.
func noneOf(o protoreflect.OneofDescriptor) string {
	var names []string
	for i := range o.Fields().Len() {
		names = append(names, o.Fields().Get(i).JSONName())
	}
	if len(names) == 2 {
		return "has neither " + names[0] + " nor " + names[1]
	}
	return "has none of " + either(names, "and")
}

// example returns the first example of a field, or "".
func example(rules *validate.FieldRules) string {
	all, ok := typed(rules)
	if !ok {
		return ""
	}
	f := all.Descriptor().Fields().ByName("example")
	if f == nil || !f.IsList() || all.Get(f).List().Len() == 0 {
		return ""
	}
	first := all.Get(f).List().Get(0)
	if f.Message() != nil {
		if d, ok := first.Message().Interface().(*durationpb.Duration); ok {
			return durationText(d.AsDuration())
		}
	}
	return first.String()
}
