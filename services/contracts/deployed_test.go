package contracts_test

import (
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/reflection"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/grpc-sandbox/sandbox/services/contracts"
	"github.com/grpc-sandbox/sandbox/services/contracts/contracttest"
	"github.com/grpc-sandbox/sandbox/services/user/userv1"
)

// shopProto has one of each thing that can change.
const shopProto = `
name: "shop.proto" package: "shop.v1" syntax: "proto3"
message_type {
  name: "Thing"
  field {name: "id" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL}
  field {name: "tags" number: 2 type: TYPE_STRING label: LABEL_REPEATED}
  field {name: "cents" number: 3 type: TYPE_INT64 label: LABEL_OPTIONAL oneof_index: 0}
  field {name: "free" number: 4 type: TYPE_BOOL label: LABEL_OPTIONAL oneof_index: 0}
  field {name: "state" number: 5 type: TYPE_ENUM type_name: ".shop.v1.State" label: LABEL_OPTIONAL}
  field {name: "inner" number: 6 type: TYPE_MESSAGE type_name: ".shop.v1.Inner" label: LABEL_OPTIONAL}
  oneof_decl {name: "price"}
}
message_type {
  name: "Inner"
  field {name: "outer" number: 1 type: TYPE_MESSAGE type_name: ".shop.v1.Thing" label: LABEL_OPTIONAL}
  field {name: "note" number: 2 type: TYPE_STRING label: LABEL_OPTIONAL}
}
enum_type {name: "State" value {name: "STATE_UNSPECIFIED" number: 0} value {name: "STATE_SOLD" number: 1}}
service {
  name: "Shop"
  method {name: "Get" input_type: ".shop.v1.Thing" output_type: ".shop.v1.Thing"}
  method {name: "List" input_type: ".shop.v1.Thing" output_type: ".shop.v1.Thing" server_streaming: true}
}`

func shopFile(t *testing.T, change func(*descriptorpb.FileDescriptorProto)) protoreflect.FileDescriptor {
	t.Helper()
	p := &descriptorpb.FileDescriptorProto{}
	if err := prototext.Unmarshal([]byte(shopProto), p); err != nil {
		t.Fatal(err)
	}
	change(p)
	f, err := protodesc.NewFile(p, protoregistry.GlobalFiles)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// serving provides the services of a file as a server does.
type serving struct{ protoreflect.FileDescriptor }

func (s serving) GetServiceInfo() map[string]grpc.ServiceInfo {
	all := map[string]grpc.ServiceInfo{"grpc.health.v1.Health": {}}
	for i := range s.Services().Len() {
		all[string(s.Services().Get(i).FullName())] = grpc.ServiceInfo{}
	}
	return all
}

// compare deploys one file and compares it with another one, that of the source tree.
func compare(t *testing.T, tree, deployed protoreflect.FileDescriptor) (problems, more string) {
	t.Helper()
	var files protoregistry.Files
	if err := files.RegisterFile(deployed); err != nil {
		t.Fatal(err)
	}
	conn, _ := contracttest.Serve(t, func(s *grpc.Server) {
		reflectionv1.RegisterServerReflectionServer(s, reflection.NewServerV1(reflection.ServerOptions{Services: serving{deployed}, DescriptorResolver: &files}))
	})
	d, err := contracts.Ask(t.Context(), conn)
	if err != nil {
		t.Fatal(err)
	}
	found, extra, err := d.Compare(tree.Services().Get(0))
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, p := range found {
		all = append(all, p.String())
	}
	return strings.Join(all, "; "), strings.Join(extra, "; ")
}

func TestCompare_Changes(t *testing.T) {
	type file = descriptorpb.FileDescriptorProto
	thing := func(p *file) *descriptorpb.DescriptorProto { return p.MessageType[0] }
	note := func(p *file) *descriptorpb.FieldDescriptorProto { return p.MessageType[1].Field[1] }
	for _, c := range []struct {
		sentence       string
		change         func(*file)
		problems, more string
	}{
		{"the same", func(*file) {}, "", ""},
		{"a service is missing", func(p *file) { p.Service[0].Name = proto.String("Store") }, "shop.v1.Shop: is not deployed", "shop.v1.Store"},
		{"a method is missing", func(p *file) { p.Service[0].Method = p.Service[0].Method[:1] }, "shop.v1.Shop/List: is not deployed", ""},
		{"a stream became one message", func(p *file) { p.Service[0].Method[1].ServerStreaming = nil },
			"shop.v1.Shop/List: is one message to one message as deployed, want one message to a stream", ""},
		{"one message became a stream", func(p *file) { p.Service[0].Method[0].ClientStreaming = proto.Bool(true) },
			"shop.v1.Shop/Get: is a stream to one message as deployed, want one message to one message", ""},
		{"a field is missing", func(p *file) { thing(p).Field = append(thing(p).Field[:1], thing(p).Field[2:]...) }, "shop.v1.Thing.tags: is not deployed", ""},
		{"a field of a nested message is missing", func(p *file) { p.MessageType[1].Field = p.MessageType[1].Field[:1] }, "shop.v1.Inner.note: is not deployed", ""},
		{"a field has another name", func(p *file) { note(p).Name = proto.String("remark") }, "shop.v1.Inner.note: is called remark as deployed", ""},
		{"a field has another number", func(p *file) { note(p).Number = proto.Int32(9) }, "shop.v1.Inner.note: is number 9 as deployed, want number 2", ""},
		{"a field has another type", func(p *file) { note(p).Type = descriptorpb.FieldDescriptorProto_TYPE_BYTES.Enum() },
			"shop.v1.Inner.note: is bytes as deployed, want string", ""},
		{"a field became repeated", func(p *file) { note(p).Label = descriptorpb.FieldDescriptorProto_LABEL_REPEATED.Enum() },
			"shop.v1.Inner.note: is repeated as deployed, want singular", ""},
		{"a field left its oneof", func(p *file) { thing(p).Field[3].OneofIndex = nil }, "shop.v1.Thing.free: is in no oneof as deployed, want one of price", ""},
		{"an enum value is missing", func(p *file) { p.EnumType[0].Value = p.EnumType[0].Value[:1] }, "shop.v1.STATE_SOLD: is not deployed", ""},
		{"an enum value has another number", func(p *file) { p.EnumType[0].Value[1].Number = proto.Int32(2) },
			"shop.v1.STATE_SOLD: is number 2 as deployed, want number 1", ""},
		{"additional services, methods, fields and values", func(p *file) {
			p.Service = append(p.Service, &descriptorpb.ServiceDescriptorProto{Name: proto.String("New")})
			p.Service[0].Method = append(p.Service[0].Method, proto.CloneOf(p.Service[0].Method[0]))
			p.Service[0].Method[2].Name = proto.String("Put")
			p.MessageType[1].Field = append(p.MessageType[1].Field, proto.CloneOf(note(p)))
			p.MessageType[1].Field[2].Name, p.MessageType[1].Field[2].Number = proto.String("new"), proto.Int32(3)
			p.EnumType[0].Value = append(p.EnumType[0].Value, &descriptorpb.EnumValueDescriptorProto{Name: proto.String("STATE_NEW"), Number: proto.Int32(2)})
		}, "", "shop.v1.STATE_NEW; shop.v1.Inner.new; shop.v1.Shop/Put; shop.v1.New"},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			problems, more := compare(t, shopFile(t, func(*file) {}), shopFile(t, c.change))
			if problems != c.problems || more != c.more {
				t.Errorf("problems %q, want %q\nmore %q, want %q", problems, c.problems, more, c.more)
			}
		})
	}
}

// TestAsk_RealServer reads a server whose files import others.
func TestAsk_RealServer(t *testing.T) {
	conn, _ := contracttest.Serve(t, func(s *grpc.Server) {
		userv1.RegisterUserServiceServer(s, users{})
		reflection.Register(s)
	})
	d, err := contracts.Ask(t.Context(), conn)
	if err != nil || !slices.Equal(d.Services, []string{"user.v1.UserService"}) {
		t.Fatal(d.Services, err)
	}
	if problems, more, err := d.Compare(userv1.File_user_v1_user_proto.Services().Get(0)); len(problems)+len(more) > 0 || err != nil {
		t.Error(problems, more, err)
	}
}

func TestAsk_NoReflection(t *testing.T) {
	conn, _ := contracttest.Serve(t, func(*grpc.Server) {})
	if _, err := contracts.Ask(t.Context(), conn); status.Code(err) != codes.Unimplemented {
		t.Error(err)
	}
}
