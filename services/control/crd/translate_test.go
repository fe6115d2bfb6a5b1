package crd

import (
	"fmt"
	"testing"

	crdvalidation "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation"
)

// Each translation also compiles in the API server, and costs no more than it allows.
func TestTranslate_ProtovalidateToCEL(t *testing.T) {
	fields := `/* A. */ bool a = 1;
		/* B. */ optional uint32 b_c = 2;
		/* D. */ google.protobuf.Duration d = 3;
		/* E. */ policy.v1.Priority e = 4;
		/* F. */ Part f = 5;
		/* S. */ string s = 6 [(buf.validate.field).string.max_len = 9];
		/* L. */ repeated Part l = 7 [(buf.validate.field).repeated.max_items = 9];
		/* N. */ optional bool namespace = 8;`
	for expression, want := range map[string]string{
		"this.a || !has(this.b_c) && this.b_c != 2u":  "has(self.a) && self.a || !has(self.bC) && (has(self.bC) ? self.bC : 0) != 2",
		"(this.a || has(this.s)) && !(this.s == 'x')": "(has(self.a) && self.a || has(self.s) && self.s != '') && !((has(self.s) ? self.s : '') == 'x')",
		"this.d < duration('1s')":                     "duration(has(self.d) ? self.d : '0s') < duration('1s')",
		"this.e == policy.v1.Priority.PRIORITY_HIGH":  "(has(self.e) ? self.e : '') == 'high'",
		"this.e != 0": "(has(self.e) ? self.e : '') != ''",
		"has(this.f.delay) && this.f.percent < 2.0":      "has(self.f) && has(self.f.delay) && (has(self.f) && has(self.f.percent) ? self.f.percent : 0.0) < 2.0",
		"this.l.all(x, has(x.fixed) || this.a)":          "(has(self.l) ? self.l : []).all(x, has(x.fixed) || has(self.a) && self.a)",
		"this.l.exists_one(x, has(x.fixed))":             "(has(self.l) ? self.l : []).exists_one(x, has(x.fixed))",
		"has(this.l) ? this.a : size(this.s) > 3":        "has(self.l) && self.l.size() > 0 ? has(self.a) && self.a : size(has(self.s) ? self.s : '') > 3",
		`this.s.matches('^\\d') || this.s in ["'", 'b']`: `(has(self.s) ? self.s : '').matches("^\\d") || (has(self.s) ? self.s : '') in ["'", 'b']`,
		"has(this.namespace) == this.a":                  "has(self.__namespace__) == (has(self.a) && self.a)",
	} {
		option := fmt.Sprintf("option (buf.validate.message).cel = {id: 'test', message: 'is wrong', expression: %q};\n", expression)
		s, err := Schema(inline(t, option+fields))
		if err != nil {
			t.Error(expression, err)
			continue
		}
		if got := s.XValidations[0].Rule; got != want {
			t.Errorf("%s\ngot  %s\nwant %s", expression, got, want)
		}
		for _, err := range crdvalidation.ValidateCustomResourceDefinition(t.Context(), definition(t, s)) {
			t.Error(expression, err)
		}
	}
}
