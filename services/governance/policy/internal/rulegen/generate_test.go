package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"cel.dev/cel-go/cel"
	"github.com/bufbuild/protocompile"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/dynamicpb"
)

func TestGenerate_IsCurrent(t *testing.T) {
	want, err := generate(roots()...)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../rules/generated.go")
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("generated.go is out of date (%v): run `task generate`", err)
	}
}

// message returns a message with the given fields, as they are written in a proto.
func message(t *testing.T, fields string) protoreflect.ProtoMessage {
	t.Helper()
	compiler := protocompile.Compiler{Resolver: protocompile.CompositeResolver{
		&protocompile.SourceResolver{Accessor: protocompile.SourceAccessorFromMap(map[string]string{"test.proto": `syntax = "proto3";
			package test;
			import "buf/validate/validate.proto";
			import "google/protobuf/duration.proto";
			import "policy/v1/rules.proto";
			message Test {` + fields + `}`})},
		protocompile.ResolverFunc(func(path string) (protocompile.SearchResult, error) {
			d, err := protoregistry.GlobalFiles.FindFileByPath(path)
			return protocompile.SearchResult{Desc: d}, err
		}),
	}}
	files, err := compiler.Compile(t.Context(), "test.proto")
	if err != nil {
		t.Fatal(err)
	}
	return dynamicpb.NewMessage(files[0].Messages().Get(0))
}

// A rule without a translation must not be left out.
func TestGenerate_UnsupportedRule(t *testing.T) {
	for fields, want := range map[string]string{
		`string s = 1 [(buf.validate.field).string.email = true];`:                                                        "test.Test.s: rule string.email is not supported",
		`bytes b = 1 [(buf.validate.field).bytes.max_len = 1];`:                                                           "test.Test.b: rule BytesRules.max_len is not supported",
		`repeated uint32 s = 1 [(buf.validate.field).repeated.unique = true];`:                                            "test.Test.s: repeated.unique is supported for strings",
		`string s = 1 [(buf.validate.field).ignore = IGNORE_IF_ZERO_VALUE];`:                                              "test.Test.s: ignore is not supported",
		`string s = 1 [(buf.validate.field).cel_expression = "this != ''"];`:                                              "test.Test.s: cel_expression is not supported",
		`string s = 1 [(buf.validate.field).string.(policy.v1.pattern) = false];`:                                         "rule policy.v1.pattern must be a bool that is true",
		`option (buf.validate.message).oneof = {fields: ["a", "b"]}; bool a = 1; bool b = 2;`:                             "test.Test: only rules of kind cel are supported",
		`string s = 1 [(buf.validate.field).cel = {id: "s.low", message: "m", expression: "this.lowerAscii() == this"}];`: "rule s.low: function lowerAscii has no translation",
		`string s = 1 [(buf.validate.field).cel = {id: "s.none", expression: "this == 'a'"}];`:                            "rule s.none: must have a message",
		`uint32 n = 1 [(buf.validate.field).cel = {id: "n.odd", message: "is not odd", expression: "this % 2u == 1u"}];`:  "rule n.odd: rules in CEL are supported for messages and strings",
		`oneof o { uint32 a = 1 [(buf.validate.field).uint32.gte = 1]; }`:                                                 "a member of a oneof must be a message",
		`google.protobuf.Duration d = 1 [(buf.validate.field).duration.in = {seconds: 1}];`:                               "rule DurationRules.in is not supported",
		`map<string, uint32> m = 1 [(buf.validate.field).map.max_pairs = 1];`:                                             "only maps of strings are supported",
		`repeated string s = 1 [(buf.validate.field).repeated.items.string.uuid = true];`:                                 "rule string.uuid is not supported",
	} {
		if _, err := generate(message(t, fields)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\ngot  %v\nwant %s", fields, err, want)
		}
	}
}

func TestTranslate_CELToGo(t *testing.T) {
	translator := &translator{pattern: func(text string) string { return "pattern[" + text + "]" }}
	for _, c := range []struct{ message, expression, want string }{
		{"Hedge", "this.idempotent || this.max_attempts == 1u", "!((m.GetIdempotent() || m.GetMaxAttempts() == 1))"},
		{"Hedge", "!has(this.delay)", "m.GetDelay() != nil"},
		{"Hedge", "this.delay <= this.delay", "!(m.GetDelay().AsDuration() <= m.GetDelay().AsDuration())"},
		{"Shed", "has(this.min_limit) ? this.min_limit > 2u : true", "!(choose(m.MinLimit != nil, m.GetMinLimit() > 2, true))"},
		{"Fault", "has(this.name) && !has(this.metadata)", `!((m.GetName() != "" && !(len(m.GetMetadata()) > 0)))`},
		{"Fault", "this.name in ['a', 'b'] && size(this.name) < 3", `!((slices.Contains([]string{"a", "b"}, m.GetName()) && utf8.RuneCountInString(m.GetName()) < 3))`},
		{"Fault", "this.abort.code.startsWith('U') && this.percent < 1.5", `!((strings.HasPrefix(m.GetAbort().GetCode(), "U") && m.GetPercent() < 1.5))`},
		{"Fault", "this.name.matches('^a')", "!(pattern[^a].MatchString(m.GetName()))"},
		{"FaultSpec", "this.side == policy.v1.FaultSide.FAULT_SIDE_CLIENT", "!(m.GetSide() == 2)"},
		{"Callers", "this.allow.all(a, a != '')", `!(!slices.ContainsFunc(m.GetAllow(), func(a string) bool { return !(a != "") }))`},
		{"EffectivePolicy", "this.server.all(r, has(r.deadline))",
			`!(!slices.ContainsFunc(m.GetServer(), func(r *policyv1.ServerRule) bool { return !(r.GetDeadline() != nil) }))`},
		{"EffectivePolicy", "this.server.exists(r, r.method == '') && size(this.server) > 0",
			`!((slices.ContainsFunc(m.GetServer(), func(r *policyv1.ServerRule) bool { return r.GetMethod() == "" }) && len(m.GetServer()) > 0))`},
	} {
		rule := &validate.Rule{}
		rule.SetId("test")
		rule.SetMessage("is wrong")
		rule.SetExpression(c.expression)
		if got, err := translator.translate(rule, cel.ObjectType("policy.v1."+c.message), "m"); err != nil || got != c.want {
			t.Errorf("%s\ngot  %s, %v\nwant %s", c.expression, got, err, c.want)
		}
	}
}

func TestGenerate_Unique(t *testing.T) {
	source, err := generate(message(t, `repeated string s = 1 [(buf.validate.field).repeated.unique = true];`))
	if want := `c.add(at+"s", "repeated.unique", "has an item twice", "")`; err != nil || !strings.Contains(string(source), "if len(slices.Compact(slices.Sorted(slices.Values(m.GetS())))) < len(m.GetS()) {") || !strings.Contains(string(source), want) {
		t.Errorf("%v\n%s", err, source)
	}
}
