package crd

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"
	"pgregory.net/rapid"
	"sigs.k8s.io/yaml"

	"github.com/grpc-sandbox/sandbox/services/governance/policy"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// read returns the problems that the reader of policies finds, and their paths.
func read(spec string, into proto.Message) (paths []string, err error) {
	_, err = policy.Decode([]byte(spec), into)
	if problems := policy.Check(into); err == nil && len(problems) > 0 {
		err = &policy.Error{Problems: problems}
	}
	var invalid *policy.Error
	if errors.As(err, &invalid) {
		for _, p := range invalid.Problems {
			paths = append(paths, p.Field)
		}
	}
	return distinct(paths), err
}

// notInSchema matches problems of the text as such. The API server prunes unknown fields, or refuses them before it applies the schema; most of these
// texts are no policies.
var notInSchema = regexp.MustCompile(`: is unknown|more than one document|is an alias`)

// oldWords matches words that YAML 1.1, which kubectl reads, takes for true and false. The reader refuses them.
var oldWords = regexp.MustCompile(`: (yes|no|on|off)\b`)

// TestSchema_RefusesWhatTheReaderRefuses gives each text in the tests of package policy to the reader and to the API server.
func TestSchema_RefusesWhatTheReaderRefuses(t *testing.T) {
	server := admissionOf(t, schemaOf(t, "EffectivePolicy"))
	refused := 0
	for _, text := range policyTexts(t) {
		want, err := read(text, &policyv1.EffectivePolicy{})
		if err != nil && (notInSchema.MatchString(err.Error()) || oldWords.MatchString(text)) {
			continue
		}
		got, _ := server.refuse(t, text)
		switch {
		case strings.Contains(text, "hang: }"):
			// The reader accepts a group without a value, which YAML makes null, and the API server does not.
			want = []string{"serverFaults[0].hang"}
			if strings.Contains(text, "clientFaults") {
				want = []string{"clientFaults[0].hang"}
			}
		case slices.Equal(want, []string{"server[0].rate.limits[0].leakyBucket"}):
			// Both members of a oneof: the reader reports the second one, which has no meaning in an object.
			want = []string{"server[0].rate.limits[0]"}
		}
		if len(want) > 0 {
			refused++
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q\nreader %v\nserver %q", text, err, got)
		}
	}
	if refused < 30 {
		t.Errorf("only %d bad values were found", refused)
	}
}

// policyTexts returns the strings in the tests of package policy that are a group of fields in YAML.
func policyTexts(t *testing.T) (texts []string) {
	t.Helper()
	files, err := filepath.Glob("../../governance/policy/*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		source, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(source, func(n ast.Node) bool {
			if literal, ok := n.(*ast.BasicLit); ok && literal.Kind == token.STRING {
				text, err := strconv.Unquote(literal.Value)
				var group map[string]any
				if err == nil && yaml.UnmarshalStrict([]byte(text), &group) == nil && group != nil {
					texts = append(texts, text)
				}
			}
			return true
		})
	}
	return texts
}

// TestSchema_SameAsReader compares the problems of random specs, whose values are at and around the limits.
func TestSchema_SameAsReader(t *testing.T) {
	for _, p := range []proto.Message{&policyv1.TrafficPolicySpec{}, &policyv1.FaultSpec{}, &policyv1.EffectivePolicy{}} {
		name := p.ProtoReflect().Descriptor().Name()
		server := admissionOf(t, schemaOf(t, name))
		t.Run(string(name), rapid.MakeCheck(func(t *rapid.T) {
			spec, err := json.Marshal(group(t, p.ProtoReflect().Descriptor(), 1))
			if err != nil {
				t.Fatal(err)
			}
			want, err := read(string(spec), p.ProtoReflect().New().Interface())
			got, complete := server.refuse(t, string(spec))
			more := func(path string) bool { return !slices.Contains(want, path) }
			if complete && !slices.Equal(got, want) || !complete && (len(got) == 0 || slices.ContainsFunc(got, more)) {
				t.Fatalf("%s\nreader %v\nserver %q", spec, err, got)
			}
		}))
	}
}

// group returns the text form of a message with some of its fields.
func group(t *rapid.T, d protoreflect.MessageDescriptor, items int) map[string]any {
	fields, oneofs := map[string]any{}, map[protoreflect.Name]bool{}
	for i := range d.Fields().Len() {
		f := d.Fields().Get(i)
		o := f.ContainingOneof()
		if rapid.IntRange(0, 2).Draw(t, f.JSONName()) == 0 || o != nil && !o.IsSynthetic() && oneofs[o.Name()] {
			continue
		}
		if o != nil {
			oneofs[o.Name()] = true
		}
		switch {
		case f.IsMap():
			fields[f.JSONName()] = map[string]string{sample(t, texts[:len(texts)-1]): sample(t, texts)}
		case f.IsList():
			list := []any{}
			for range rapid.IntRange(0, items).Draw(t, "items") {
				list = append(list, anyOf(t, f))
			}
			fields[f.JSONName()] = list
		default:
			fields[f.JSONName()] = anyOf(t, f)
		}
	}
	return fields
}

var (
	numbers = []uint32{0, 1, 2, 5, 6, 60, 61, 100, 101, 1000, 1001, 1023, 1024, 65535, 65536, 1<<31 - 1, 1 << 31, 1<<32 - 1}
	floats  = []float64{0, -1, 1e-7, 1e-6, 0.0009, 0.001, 0.009, 0.01, 0.5, 1, 1.5, 100, 100.5, 101, 1000, 1001, 1e9, 1e10}
	lengths = []*durationpb.Duration{{}, {Nanos: 1}, {Nanos: -1}, {Nanos: 999}, {Nanos: 1000}, {Nanos: 999999}, {Nanos: 1000000}, {Nanos: 9999999},
		{Nanos: 10000000}, {Seconds: 9, Nanos: 999999999}, {Seconds: 10}, {Seconds: 3600}, {Seconds: 3601}, {Seconds: 31536000}, {Seconds: 31536001}, {Seconds: 1 << 40}}
	texts = []string{"", "a", "*", "a/b", "a.B/C*", "/a", "a/", "a/b/c", "[a", `a\`, "UNAVAILABLE", "unavailable", "ABORTED", "OK", "INTERNAL",
		strings.Repeat("ä", 253), strings.Repeat("ä", 254), strings.Repeat("a", 512), strings.Repeat("a", 513), strings.Repeat("a", 1025)}
)

func sample[T any](t *rapid.T, from []T) T { return rapid.SampledFrom(from).Draw(t, "value") }

// anyOf returns the text form of one value.
func anyOf(t *rapid.T, f protoreflect.FieldDescriptor) any {
	switch f.Kind() {
	case protoreflect.BoolKind:
		return rapid.Bool().Draw(t, "bool")
	case protoreflect.Uint32Kind:
		return sample(t, numbers)
	case protoreflect.DoubleKind:
		return sample(t, floats)
	case protoreflect.EnumKind:
		values := f.Enum().Values()
		return enumName(values.Get(rapid.IntRange(1, values.Len()-1).Draw(t, "enum")))
	case protoreflect.StringKind:
		return sample(t, texts)
	}
	if isDuration(f) {
		return sample(t, lengths).AsDuration().String()
	}
	return group(t, f.Message(), 4)
}
