package crd

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bufbuild/protocompile"
	"google.golang.org/protobuf/reflect/protoreflect"
	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"

	// The rules of our own.
	_ "github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const protos = "../../proto"

func schemaOf(t *testing.T, name protoreflect.Name) *apiextensions.JSONSchemaProps {
	t.Helper()
	d, err := Message(t.Context(), protos, "policy/v1/traffic.proto", protoreflect.FullName("policy.v1").Append(name))
	if err != nil {
		t.Fatal(err)
	}
	s, err := Schema(d)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSchema_Golden(t *testing.T) {
	for _, name := range []protoreflect.Name{"ServerRule", "ClientRule", "Fault", "Connection"} {
		t.Run(string(name), func(t *testing.T) {
			got, err := yaml.Marshal(schemaOf(t, name))
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join("testdata", strings.ToLower(string(name))+".yaml")
			if *update {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if want, err := os.ReadFile(file); err != nil || string(got) != string(want) {
				t.Errorf("%s differs (%v); run `task golden` and review the diff\n%s", file, err, got)
			}
		})
	}
}

// inline returns the message Test with the given fields, as they are written in a proto.
func inline(t *testing.T, fields string) protoreflect.MessageDescriptor {
	t.Helper()
	d, err := find(t.Context(), &protocompile.SourceResolver{Accessor: protocompile.SourceAccessorFromMap(map[string]string{"test.proto": `syntax = "proto3";
		package test;
		import "buf/validate/validate.proto";
		import "google/protobuf/duration.proto";
		import "policy/v1/policy.proto";
		import "policy/v1/rules.proto";
		// A test.
		message Test {` + fields + `}
		// A message with a field without a comment.
		message Other {
			bool set = 1;
		}
		// Part is a part.
		message Part {
			// Some percent.
			optional double percent = 1;
			// A duration, not percent_of.
			google.protobuf.Duration fixed = 2;
			// A part of a part.
			Empty delay = 3;
		}
		// Nothing.
		message Empty {}`})}, "test.proto", "test.Test")
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// What has no translation must not be left out, because the API server would accept what processes refuse.
func TestSchema_Unsupported(t *testing.T) {
	for fields, want := range map[string]string{
		`string s = 1 [(buf.validate.field).string.max_len = 1];`:               "test.Test.s: has no comment",
		`/* S. */ string s = 1;`:                                                "test.Test.s: has no maximum length: add string.max_len",
		`/* S. */ repeated bool s = 1;`:                                         "test.Test.s: has no maximum number of items: add repeated.max_items",
		`/* S. */ map<string, bool> s = 1;`:                                     "test.Test.s: has no maximum number of entries: add map.max_pairs",
		`/* S. */ map<uint32, bool> s = 1;`:                                     "test.Test.s: only maps with keys of text are supported",
		`/* S. */ bytes s = 1;`:                                                 "test.Test.s: fields of kind bytes are not supported",
		`/* S. */ Test s = 1;`:                                                  "test.Test contains itself",
		`/* S. */ Other s = 1;`:                                                 "test.Other.set: has no comment",
		`/* S. */ string s = 1 [(buf.validate.field).string.email = true];`:     "test.Test.s: rule StringRules.email is not supported",
		`/* S. */ uint32 s = 1 [(buf.validate.field).uint32.in = 1];`:           "test.Test.s: rule UInt32Rules.in is not supported",
		`/* S. */ policy.v1.Priority s = 1 [(buf.validate.field).enum.in = 1];`: "test.Test.s: rule EnumRules.in is not supported",
		`/* S. */ google.protobuf.Duration s = 1 [(buf.validate.field).duration.const = {seconds: 1}];`:                                                       "test.Test.s: rule DurationRules.const is not supported",
		`/* S. */ bool s = 1 [(buf.validate.field).ignore = IGNORE_ALWAYS];`:                                                                                  "test.Test.s: ignore is not supported",
		`/* S. */ repeated bool s = 1 [(buf.validate.field).repeated.max_items = 2, (buf.validate.field).cel = {id: "s", message: "m", expression: "true"}];`: "test.Test.s: rules in CEL about a list are not supported",
		`/* S. */ map<string, bool> s = 1 [(buf.validate.field).map = {max_pairs: 2, keys: {string: {uuid: true}}}];`:                                         "test.Test.s: for keys: rule StringRules.uuid is not supported",
		`/* S. */ bool s = 1 [(buf.validate.field).cel_expression = "this"];`:                                                                                 "test.Test.s: cel_expression is not supported",
		`/* S. */ uint32 s = 1 [(buf.validate.field).cel = {id: "s.odd", message: "is even", expression: "this % 2u == 1u"}];`:                                "test.Test.s: rule s.odd: function _%_ has no translation",
		`/* S. */ bool s = 1 [(buf.validate.field).cel = {id: "s.set", expression: "this"}];`:                                                                 "test.Test.s: rule s.set: must have a message",
		`option (buf.validate.message).oneof = {fields: ["s", "u"]};
/* S. */ bool s = 1; 
/* U. */ bool u = 2;`: "test.Test: only rules of kind cel are supported",
		`option (buf.validate.message).cel = {id: "s.high", message: "m", expression: "this.s > policy.v1.Priority.PRIORITY_LOW"};
/* S. */ policy.v1.Priority s = 1;`: "rule s.high: test.Test.s can only be compared with == or != to one of its values",
		`option (buf.validate.message).cel = {id: "s.text", message: "m", expression: "'m'"};
/* S. */ bool s = 1;`: "rule s.text: must have a result of type bool",
	} {
		if _, err := Schema(inline(t, fields)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\ngot  %v\nwant %s", fields, err, want)
		}
	}
}
