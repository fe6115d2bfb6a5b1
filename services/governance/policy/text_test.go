package policy

import (
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

func TestFaultText_EffectAndShare(t *testing.T) {
	for spec, want := range map[string]string{
		"abort: {code: UNAVAILABLE}\npercent: 50": "abort {code: UNAVAILABLE} 50 %",
		"delay: {fixed: 100ms}":                   "delay {fixed: 100ms}",
		"hang: {}":                                "hang",
		"percent: 50":                             "none",
	} {
		f := &policyv1.FaultSpec{}
		if _, err := Decode([]byte(spec), f); err != nil {
			t.Fatal(err)
		}
		if got := FaultText(f); got != want {
			t.Errorf("%q: got %q, want %q", spec, got, want)
		}
	}
}

func TestText_ParsesBack(t *testing.T) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	texts := []string{`serverFaults: [{name: "a b", metadata: {"x-y": "on", z: "1"}, abort: {code: UNAVAILABLE, message: "say \"no\""}, percent: 12.5}]`,
		"server: [{method: a.B/C, priority: low, deadline: {none: true, streamTimeout: 1m30s}, rate: {limits: [{perCaller: true, leakyBucket: {rate: 0.5, queue: 3}}]}}]"}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Parse(text); err == nil {
			texts = append(texts, string(text))
		}
	}
	for _, text := range texts {
		want := parsed(t, text)
		var back []string
		want.ProtoReflect().Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
			back = append(back, fd.JSONName()+": "+Text(fd, v))
			return true
		})
		joined := ""
		for _, line := range back {
			joined += line + "\n"
		}
		got := &policyv1.EffectivePolicy{}
		if _, err := Decode([]byte(joined), got); err != nil || !proto.Equal(got, want) {
			t.Errorf("%s\nbecame\n%s\n%v", text, joined, err)
		}
	}
}
