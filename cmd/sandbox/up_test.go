package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/grpc-sandbox/sandbox/sandbox"
	"github.com/grpc-sandbox/sandbox/sandbox/images"
)

var brought = sandbox.UpResult{
	Steps: []sandbox.Took{{Step: "engine", Took: 1100 * time.Millisecond}, {Step: "cluster", Start: 1100 * time.Millisecond, Took: 32700 * time.Millisecond}},
	First: 52 * time.Second, Total: 64 * time.Second, Own: 2500 * time.Millisecond,
	Images: []images.Ready{{Entry: images.Entry{Ref: "sandbox.local/loadgen:dev", Took: 30 * time.Second}, How: images.Present}},
}

func TestPrintSteps_Table(t *testing.T) {
	var out strings.Builder
	printSteps(&out, brought)
	const want = `
STEP                   FROM  SECONDS
engine                 0.0   1.1
cluster                1.1   32.7
first successful call        52.0
all                          64.0
sandbox overhead             2.5
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

func TestNewUpDocument_InSeconds(t *testing.T) {
	for _, c := range []struct {
		sentence string
		result   sandbox.UpResult
		want     string
	}{
		{"all in seconds", brought, `{"name":"blue","steps":[{"name":"engine","startSeconds":0,"seconds":1.1},{"name":"cluster","startSeconds":1.1,"seconds":32.7}],` +
			`"images":[{"ref":"sandbox.local/loadgen:dev","how":"present","madeInSeconds":30}],"firstCallSeconds":52,"totalSeconds":64,"ownSeconds":2.5}`},
		{"nothing is an empty list", sandbox.UpResult{}, `{"name":"blue","steps":[],"images":[],"firstCallSeconds":0,"totalSeconds":0,"ownSeconds":0}`},
	} {
		got, err := json.Marshal(newUpDocument("blue", c.result))
		if diff := cmp.Diff(c.want, string(got)); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got)\n%s", c.sentence, err, diff)
		}
	}
}
