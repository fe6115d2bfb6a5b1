package scenarios

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/scenarios/internal/journal"
	"github.com/grpc-sandbox/sandbox/scenarios/report"
)

var update = flag.Bool("update", false, "write the golden files and the README's tables")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(string(got), "\n")); diff != "" {
		t.Errorf("%s (go test -update rewrites it):\n%s", name, diff)
	}
}

// caseFile returns a scenario from testdata/cases with edits.
func caseFile(t *testing.T, name string, edits ...string) Scenario {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "cases", name+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return edited(t, name, string(data), edits...)
}

func edited(t *testing.T, name, text string, edits ...string) Scenario {
	t.Helper()
	for i := 0; i+1 < len(edits); i += 2 {
		if !strings.Contains(text, edits[i]) {
			t.Fatalf("%s does not hold %q", name, edits[i])
		}
		text = strings.Replace(text, edits[i], edits[i+1], 1)
	}
	sc, err := Parse(name+".yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return sc
}

const (
	takenDown = "    - {name: take it down, scale: {release: userservice, replicas: 0}}\n"
	backAgain = takenDown + "    - {name: hold, wait: {for: 5s}}\n    - {name: back, heal: {step: take it down}}\n"
)

// inPhase returns the findings of a phase.
func inPhase(r Report, phase string) []report.Finding {
	var out []report.Finding
	for _, f := range r.Expectations {
		if f.Phase == phase {
			out = append(out, f)
		}
	}
	return out
}

func remedies(err error) string {
	var all []string
	for _, r := range remedy.Of(err) {
		all = append(all, r.Text(nil))
	}
	return strings.Join(all, "; ")
}

// withCluster runs f in a synctest bubble in which the cluster runs.
func withCluster(t *testing.T, w func() *fakeCluster, f func(t *testing.T, ctx context.Context, w *fakeCluster, opts Options)) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		made := w()
		var living sync.WaitGroup
		living.Go(func() { made.run(ctx) })
		f(t, ctx, made, Options{Journal: dir})
		cancel()
		living.Wait()
	})
	if left, _ := journal.Files(dir); len(left) > 0 && !strings.Contains(t.Name(), "Residue") {
		t.Errorf("journals left: %v", left)
	}
}

// scenario returns a scenario of the tests, after edits of its text: pairs of what is replaced and by what. A test that needs a particular scenario
// has it in testdata, so that a change of the built-in ones concerns no test.
func scenario(t *testing.T, name string, edits ...string) Scenario {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name + ".yaml")
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	for i := 0; i+1 < len(edits); i += 2 {
		if !strings.Contains(text, edits[i]) {
			t.Fatalf("%s does not hold %q", name, edits[i])
		}
		text = strings.Replace(text, edits[i], edits[i+1], 1)
	}
	sc, err := Parse(name+".yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return sc
}

func copyJournals(t *testing.T, from, to string) {
	files, err := journal.Files(from)
	if err != nil || len(files) == 0 {
		t.Errorf("journals: %v, %v", files, err)
	}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err == nil {
			err = os.WriteFile(filepath.Join(to, filepath.Base(f)), data, 0o600)
		}
		if err != nil {
			t.Error(err)
		}
	}
}

// killed runs the scenario outage, and returns a folder with the journal as kill -9 would have left it during the call.
func killed(t *testing.T, after string) string {
	t.Helper()
	left := t.TempDir()
	withCluster(t, newFakeCluster, func(t *testing.T, ctx context.Context, w *fakeCluster, opts Options) {
		w.hook = func(call string) {
			if call != after {
				return
			}
			files, err := journal.Files(opts.Journal)
			if err != nil || len(files) != 1 {
				t.Errorf("before %q is done it is not in a journal: %v, %v", call, files, err)
				return
			}
			data, err := os.ReadFile(files[0])
			if err == nil {
				err = os.WriteFile(filepath.Join(left, filepath.Base(files[0])), data, 0o600)
			}
			if err != nil {
				t.Error(err)
			}
		}
		if _, err := Run(ctx, scenario(t, "outage"), w.target(), opts); err != nil {
			t.Error(err)
		}
	})
	return left
}

// bubbleRun is the name of a run of outage that starts when the clock of a synctest bubble starts.
const bubbleRun = "20000101T000000.000000000Z-outage"

// abandoned returns a cluster as a killed run leaves it: the load continues, and the service has no pods.
func abandoned() *fakeCluster { return abandonedBy(bubbleRun + "/browse") }

func abandonedBy(load string) *fakeCluster {
	w := newFakeCluster()
	ctx := context.Background()
	_ = w.Start(ctx, LoadSpec{Name: load, Rate: 50})
	_ = w.Scale(ctx, "userservice", 0)
	w.log = nil
	return w
}
