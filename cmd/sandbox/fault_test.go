package main

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/grpc-sandbox/sandbox/services/control/api"
)

func (f *fakeInjector) Faults(context.Context) (all []api.Fault, err error) {
	for _, name := range []string{"a", "b"} {
		if one := f.faults[name]; one != nil {
			all = append(all, *one)
		}
	}
	return all, nil
}

func TestClearFaults_AllOrNamed(t *testing.T) {
	for _, c := range []struct {
		sentence    string
		names       []string
		want, wrong string
	}{
		{"all", nil, "a: cleared\nb: cleared\n", ""},
		{"one", []string{"b"}, "b: cleared\n", ""},
		{"nothing if one is unknown", []string{"a", "x"}, "", `there is no fault "x"`},
	} {
		f := &fakeInjector{faults: map[string]*api.Fault{}}
		for _, name := range []string{"a", "b"} {
			_ = f.AddFault(t.Context(), name, json.RawMessage(`{}`))
		}
		var out strings.Builder
		err := clearFaults(t.Context(), &out, f, c.names)
		if out.String() != c.want || (err != nil) != (c.wrong != "") || err != nil && !strings.HasPrefix(err.Error(), c.wrong) {
			t.Errorf("%s: printed %q, %v", c.sentence, out.String(), err)
		}
	}
}
