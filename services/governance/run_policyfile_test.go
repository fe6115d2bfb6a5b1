package governance

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/services/governance/policy"
)

// mountPolicy writes the file as the kubelet writes a ConfigMap: into a new folder, to which the link ..data is then moved in one step.
func mountPolicy(t *testing.T, dir, text string) {
	t.Helper()
	version, err := os.MkdirTemp(dir, "..v")
	must(t, err)
	must(t, os.WriteFile(filepath.Join(version, "policy.yaml"), []byte(text), 0o600))
	if link := filepath.Join(dir, "policy.yaml"); !exists(link) {
		must(t, os.Symlink(filepath.Join("..data", "policy.yaml"), link))
	}
	next := filepath.Join(dir, "..next")
	must(t, os.Symlink(filepath.Base(version), next))
	must(t, os.Rename(next, filepath.Join(dir, "..data")))
}

func TestPolicyFile_Changes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		mountPolicy(t, dir, "version: one\nserver: [{method: 'a.B/C'}]")
		metrics, events := NewMetrics(), NewEvents(0)
		inForce := &policy.Policy{}
		ObservePolicy(inForce, "policy", metrics, events, quiet)
		f := &policy.File{Path: filepath.Join(dir, "policy.yaml"), Policy: inForce}
		must(t, f.Load())
		inForce.Know(policy.Known{Served: []string{"a.B/C"}, Called: []string{"d.E/F"}, Callees: []string{"d"}})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- f.Watch(ctx) }()
		seen := func(when, version string, reloads, failures, unmatched float64, newest string) {
			t.Helper()
			time.Sleep(1500 * time.Millisecond)
			synctest.Wait()
			if got := f.Policy.Version(); got != version {
				t.Errorf("%s: version %q in force, want %q", when, got, version)
			}
			for name, want := range map[string]float64{"sandbox_policy_reloads_total": reloads, "sandbox_policy_errors_total": failures,
				"sandbox_policy_unmatched_patterns": unmatched, "sandbox_policy_info": 1} {
				if got := metric(t, metrics, name); got != want {
					t.Errorf("%s: %s is %v, want %v", when, name, got, want)
				}
			}
			kept, _, _ := events.After(0)
			if last := kept[len(kept)-1]; last.Kind != KindPolicy || !strings.Contains(last.Detail, newest) || last.Labels["version"] != version {
				t.Errorf("%s: the newest event is %+v, want %q", when, last, newest)
			}
		}
		seen("at first", "one", 1, 0, 0, `version "one" in force`)

		mountPolicy(t, dir, "version: two")
		seen("a new file", "two", 2, 0, 0, `version "two" in force`)

		mountPolicy(t, dir, "version: three\nclient:\n- breaker: {failureRatio: 7}\n")
		seen("a broken file", "two", 2, 1, 0, "line 3: client[0].breaker.failureRatio: must be")
		seen("a broken file is reported once", "two", 2, 1, 0, "failureRatio")

		must(t, os.Remove(filepath.Join(dir, "policy.yaml")))
		seen("a file that is gone", "two", 2, 2, 0, "no such file")

		mountPolicy(t, dir, "version: four\nserver: [{method: 'a.B/X*'}]\nclient: [{callee: d, method: 'd.E/*'}, {callee: e}]\nclientFaults: [{method: 'a.B/C', hang: }]\nconnections: [{callee: f}]")
		seen("patterns that match nothing", "four", 3, 2, 4, "nothing matches connections[0].callee: f")
		cancel()
		must(t, <-ended)
	})
}

func TestRun_BrokenPolicy(t *testing.T) {
	path := filepath.Join(t.TempDir(), "policy.yaml")
	must(t, os.WriteFile(path, []byte("version: [1]"), 0o600))
	for file, want := range map[string]string{path: "line 1: version: must be a single value", path + "x": "no such file"} {
		err := Run(t.Context(), nopWriter{}, Config{TLSDir: "off", PolicyFile: file}, nil)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(remedy.Line(err, nil), "try: ") {
			t.Errorf("got %v", err)
		}
	}
}

type nopWriter struct{}

func (nopWriter) Write(p []byte) (int, error) { return len(p), nil }
