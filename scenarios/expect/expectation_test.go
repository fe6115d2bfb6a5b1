package expect

import (
	"errors"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/grpc-sandbox/sandbox/scenarios/grammar"
	"github.com/grpc-sandbox/sandbox/scenarios/target"
)

// called returns a reading of calls that were answered after 1 ms, failed at the callee after 2 s, and were refused locally.
func called(answered, failed, refused, neverSent int64) target.LoadReading {
	r := target.LoadReading{
		Errors: map[string]int64{}, Refused: map[string]int64{}, Latency: hdrhistogram.New(1, 60_000_000, 3), FailedLatency: hdrhistogram.New(1, 60_000_000, 3),
	}
	r.OK, r.Sent = answered, answered+failed+refused
	r.Intended = r.Sent + neverSent
	r.Errors["UNAVAILABLE"], r.Errors[target.NeverLeft], r.Refused["BREAKER_OPEN"] = failed+refused, neverSent, refused
	_ = r.Latency.RecordValues(1000, answered)
	_ = r.FailedLatency.RecordValues(2_000_000, failed)
	return r
}

// loadCase is an expectation about load l and the reading it is checked against.
type loadCase struct {
	x        Expectation
	load     target.LoadReading
	calls    int64
	result   string
	observed string
}

func checkLoadCases(t *testing.T, cases map[string]loadCase) {
	t.Helper()
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			f := c.x.Check(Evidence{Loads: map[string]target.LoadReading{"l": c.load}, Calls: c.calls})
			if f.Result != c.result || f.Observed.String() != c.observed {
				t.Errorf("%s, observed %s (%s); want %s, %s", f.Result, f.Observed, f.Note, c.result, c.observed)
			}
		})
	}
}

// TestKinds_WithoutDataFail ranges over the catalog: each kind is decoded from the examples of its fields.
func TestKinds_WithoutDataFail(t *testing.T) {
	e := Evidence{Loads: map[string]target.LoadReading{}, Ready: func(string) (int, time.Time, error) { return 3, time.Time{}, errors.New("no route") }}
	for _, k := range Kinds() {
		x := example(t, k)
		if f := x.Check(e); f.Met() || f.Observed.Text != "unknown" || f.Note == "" {
			t.Errorf("%s: %+v", x, f)
		}
	}
}

// example decodes an entry of a catalog from the examples of its fields: the required ones, and one optional field if it needs one of several.
func example[T any](t *testing.T, k grammar.Kind[T]) T {
	t.Helper()
	required, tries := "", []string{""}
	for _, f := range k.Fields {
		if line := f.Name + ": " + f.Example + "\n"; f.Required {
			required += line
		} else {
			tries = append(tries, line)
		}
	}
	var err error
	for _, optional := range tries {
		file := grammar.NewFile("example.yaml")
		n, _ := file.Document([]byte(required + optional))
		if o, ok := n.Object(k.Fields); ok {
			x := k.Decode(o)
			if err = file.Err(); err == nil {
				return x
			}
		}
	}
	t.Fatalf("%s: %v", k.Name, err)
	panic("unreachable")
}
