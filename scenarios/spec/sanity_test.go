package spec

import (
	"errors"
	"strings"
	"testing"

	"github.com/grpc-sandbox/sandbox/scenarios/grammar"
)

func TestSanity_ReportsPlaceAndRemedy(t *testing.T) {
	for _, c := range []struct{ old, new, want string }{
		{"steady: {for: 5s", "steady: {for: 1ms", "mine.yaml:12: spec.steady.for: at 2/s only 0.002 calls of browse fall due in 1ms, too few to judge; want 10\n  try: for: 5s"},
		{"below: 50%, for: 10s", "below: 50%, for: 24h", "mine.yaml:26: spec.abort[0].availability.for: the window of 24h0m0s is longer than a run of this file can take, which is 46s: the limit guards nothing\n  try: for: 10s"},
		{"below: 50%, for: 10s", "below: 50%, for: 100ms", "mine.yaml:26: spec.abort[0].availability.for: at "},
		{"replicas: 0}", "replicas: 10000000}", "mine.yaml:18: spec.steps[1].scale.replicas: 10000000 pods are more than a node can hold, which is 110\n  try: replicas: 5"},
		{"visits: [closed, open]", "trace: [closed, half-open]", "mine.yaml:25: spec.expect[1].breaker.trace[1]: no breaker goes from closed to half-open\n  try: follow closed"},
		{"killPod: {release: userservice", "killPod: {release: loadgen", "mine.yaml:15: spec.steps[0].killPod.release: loadgen sends the load and observes it: without it nothing is measured\n  try: choose"},
		{"below: 50%", "below: 0%", `mine.yaml:26: spec.abort[0].availability.below: want a percentage above 0%, got "0%": it can never fail` + "\n  try: 99.5%"},
	} {
		_, err := Parse("mine.yaml", []byte(strings.Replace(legal, c.old, c.new, 1)))
		var file *grammar.FileError
		if !errors.As(err, &file) || !strings.HasPrefix(file.Text(nil), c.want) {
			t.Errorf("got %v\nwant %s", err, c.want)
		}
	}
}
