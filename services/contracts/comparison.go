package contracts

import (
	"fmt"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// comparison compares deployed descriptors with those of the source tree. Fields are matched by name, because JSON and errors use names, and
// because a name that moved to another number has another meaning.
type comparison struct {
	// seen are the compared messages and enums of the source tree.
	seen     map[protoreflect.FullName]bool
	problems []Problem
	more     []string
}

func (c *comparison) problem(d protoreflect.Descriptor, format string, args ...any) {
	name := string(d.FullName())
	if m, is := d.(protoreflect.MethodDescriptor); is {
		name = nameOf(m)
	}
	c.problems = append(c.problems, Problem{name, fmt.Sprintf(format, args...)})
}

// nameOf returns the name of a method as calls use it: user.v1.UserService/GetUser.
func nameOf(m protoreflect.MethodDescriptor) string {
	return string(m.Parent().FullName()) + "/" + string(m.Name())
}

func (c *comparison) service(tree protoreflect.ServiceDescriptor, files *protoregistry.Files) {
	deployed := deployedService(files, tree.FullName())
	if deployed == nil {
		c.problem(tree, "is not deployed")
		return
	}
	for m := range each(tree.Methods()) {
		other := deployed.Methods().ByName(m.Name())
		if other == nil {
			c.problem(m, "is not deployed")
			continue
		}
		if got, want := streaming(other), streaming(m); got != want {
			c.problem(m, "is %s as deployed, want %s", got, want)
		}
		c.message(m.Input(), other.Input())
		c.message(m.Output(), other.Output())
	}
	for m := range each(deployed.Methods()) {
		if tree.Methods().ByName(m.Name()) == nil {
			c.more = append(c.more, nameOf(m))
		}
	}
}

func (c *comparison) message(tree, deployed protoreflect.MessageDescriptor) {
	if c.seen[tree.FullName()] {
		return
	}
	c.seen[tree.FullName()] = true
	for f := range each(tree.Fields()) {
		other := deployed.Fields().ByName(f.Name())
		if other == nil {
			if renamed := deployed.Fields().ByNumber(f.Number()); renamed != nil {
				c.problem(f, "is called %s as deployed", renamed.Name())
			} else {
				c.problem(f, "is not deployed")
			}
			continue
		}
		c.field(f, other)
	}
	for f := range each(deployed.Fields()) {
		if tree.Fields().ByName(f.Name()) == nil && tree.Fields().ByNumber(f.Number()) == nil {
			c.more = append(c.more, string(f.FullName()))
		}
	}
}

func (c *comparison) field(tree, deployed protoreflect.FieldDescriptor) {
	for _, aspect := range []struct{ want, got any }{
		{fmt.Sprint("number ", tree.Number()), fmt.Sprint("number ", deployed.Number())},
		{tree.Kind(), deployed.Kind()},
		{choice(tree), choice(deployed)},
		{shape(tree), shape(deployed)},
	} {
		if aspect.got != aspect.want {
			c.problem(tree, "is %v as deployed, want %v", aspect.got, aspect.want)
			return
		}
	}
	switch {
	case tree.Message() != nil:
		c.message(tree.Message(), deployed.Message())
	case tree.Enum() != nil:
		c.enum(tree.Enum(), deployed.Enum())
	}
}

func (c *comparison) enum(tree, deployed protoreflect.EnumDescriptor) {
	if c.seen[tree.FullName()] {
		return
	}
	c.seen[tree.FullName()] = true
	for v := range each(tree.Values()) {
		switch other := deployed.Values().ByName(v.Name()); {
		case other == nil:
			c.problem(v, "is not deployed")
		case other.Number() != v.Number():
			c.problem(v, "is number %d as deployed, want number %d", other.Number(), v.Number())
		}
	}
	for v := range each(deployed.Values()) {
		if tree.Values().ByName(v.Name()) == nil {
			c.more = append(c.more, string(v.FullName()))
		}
	}
}

// streaming describes which sides of a method are streams.
func streaming(m protoreflect.MethodDescriptor) string {
	word := map[bool]string{true: "a stream", false: "one message"}
	return word[m.IsStreamingClient()] + " to " + word[m.IsStreamingServer()]
}

// shape describes how often a field may occur, and whether its absence can be detected.
func shape(f protoreflect.FieldDescriptor) string {
	switch {
	case f.IsMap():
		return "a map"
	case f.IsList():
		return "repeated"
	case f.HasPresence():
		return "singular with presence"
	}
	return "singular"
}

// choice describes the oneof of a field.
func choice(f protoreflect.FieldDescriptor) string {
	if o := f.ContainingOneof(); o != nil && !o.IsSynthetic() {
		return "one of " + string(o.Name())
	}
	return "in no oneof"
}

// each iterates over a list of descriptors.
func each[D any](list interface {
	Len() int
	Get(int) D
}) func(func(D) bool) {
	return func(yield func(D) bool) {
		for i := range list.Len() {
			if !yield(list.Get(i)) {
				return
			}
		}
	}
}
