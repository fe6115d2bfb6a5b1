package doctor

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
)

func TestRun_HealthyHostPasses(t *testing.T) {
	for _, r := range Run(t.Context(), healthy().Host, nil) {
		if r.Outcome != Pass || r.Message == "" || !r.Fix.IsZero() {
			t.Errorf("%s: %s %q, fix %q; want pass with a message", r.ID, r.Outcome, r.Message, r.Fix.Text(nil))
		}
	}
}

func TestChecks_FindEveryFault(t *testing.T) {
	checks := map[string]Check{}
	for _, c := range All() {
		checks[c.ID] = c
	}
	tried := map[string]bool{}
	for _, f := range faults {
		t.Run(f.check+"/"+f.about, func(t *testing.T) {
			c, ok := checks[f.check]
			if !ok {
				t.Fatal("there is no such check")
			}
			tried[f.check] = true
			p := healthy()
			f.harm(p)
			got := c.Run(t.Context(), p.Host)
			if got.Outcome != f.want || got.Message == "" || !strings.Contains(got.Fix.Text(nil), f.fix) {
				t.Errorf("got %s %q, fix %q; want %s with %q in the fix", got.Outcome, got.Message, got.Fix.Text(nil), f.want, f.fix)
			}
		})
	}
	for id := range checks {
		if !tried[id] {
			t.Errorf("no fault shows that %s can fail: add a row", id)
		}
	}
}

// TestRun_EveryFindingHasAFix runs all checks for every fault, because one defect shows in several checks.
func TestRun_EveryFindingHasAFix(t *testing.T) {
	for _, f := range faults {
		p := healthy()
		f.harm(p)
		for _, r := range Run(t.Context(), p.Host, nil) {
			if (r.Outcome == Fail || r.Outcome == Warn) && r.Fix.IsZero() {
				t.Errorf("%s, %s: %s says %s %q without a fix", f.check, f.about, r.ID, r.Outcome, r.Message)
			}
		}
	}
}

// ofSandbox finds the command lines that are about one sandbox. `images list` shows the cache that all sandboxes share.
var ofSandbox = regexp.MustCompile(`sandbox (?:up|down|status|logs|doctor|watch)\b[^;:,]*`)

func TestRun_RemediesNameTheSandbox(t *testing.T) {
	seen := 0
	for _, f := range faults {
		p := healthy()
		f.harm(p)
		blue := func(args []string) string { return "sandbox " + remedy.Quote(args...) + " --name blue" }
		for _, r := range NewDocument(Run(t.Context(), p.Host, nil), blue).Checks {
			for _, text := range []string{r.Message, r.Fix} {
				for _, command := range ofSandbox.FindAllString(text, -1) {
					if seen++; !strings.Contains(command, "--name blue") {
						t.Errorf("%s, %s: %s says %q of another sandbox", f.check, f.about, r.ID, text)
					}
				}
			}
		}
	}
	if seen < 30 {
		t.Errorf("%d commands are named: the pattern fits none", seen)
	}
}

func TestRun_KubectlRemediesNameTheKubeconfig(t *testing.T) {
	seen := 0
	for _, f := range faults {
		p := healthy()
		f.harm(p)
		for _, r := range Run(t.Context(), p.Host, nil) {
			for part := range strings.SplitSeq(r.Fix.Text(nil), "|") {
				if !strings.Contains(part, "kubectl") {
					continue
				}
				if seen++; !strings.HasPrefix(strings.TrimSpace(part), "KUBECONFIG=/home/dev/.sandbox/kubeconfig ") {
					t.Errorf("%s, %s: %s says %q, for the cluster of the user.s current context", f.check, f.about, r.ID, r.Fix.Text(nil))
				}
			}
		}
	}
	if seen < 5 {
		t.Errorf("kubectl is named %d times", seen)
	}
}

func TestRun_SkipsWhatCannotBeChecked(t *testing.T) {
	p := healthy()
	p.Cluster, p.Lacking, p.EngineProbe, p.CacheIntact = nil, nil, nil, nil
	p.CacheDir, p.EngineStorage, p.Kubeconfig, p.Registries = "", nil, "", nil
	delete(p.programs, "go")
	p.files = nil
	skipped := 0
	for _, r := range Run(t.Context(), p.Host, nil) {
		if r.Outcome == Skip {
			skipped++
		}
		ofCluster := r.Category == cluster || r.Category == platform || r.Category == certificates && r.ID != "clock"
		if ofCluster && (r.Outcome != Skip || r.Message != "no cluster" || r.Fix.Text(nil) != "sandbox up") {
			t.Errorf("%s: %s %q; want it skipped for want of a cluster", r.ID, r.Outcome, r.Message)
		}
		if r.Outcome == Skip && r.Message == "" {
			t.Errorf("%s is skipped without a reason", r.ID)
		}
	}
	if skipped < 24 {
		t.Errorf("%d checks skipped, want what cannot be known skipped", skipped)
	}
}

func TestAll_IDsAreUniqueAndKebabCase(t *testing.T) {
	all := All()
	if len(all) < 25 {
		t.Errorf("%d checks", len(all))
	}
	seen := map[string]bool{}
	kebab := regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`)
	for _, c := range all {
		if seen[c.ID] || !kebab.MatchString(c.ID) || c.Category == "" {
			t.Errorf("check %q of %q: ids are unique and in kebab case, and nothing is empty", c.ID, c.Category)
		}
		seen[c.ID] = true
	}
}

func TestRun_SurvivesPanicsAndCancellation(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var reported []string
	reports := run(ctx, []Check{
		{ID: "broken", Category: "c", Run: func(context.Context, Host) Result { panic("oh") }},
		{ID: "last", Category: "c", Run: func(context.Context, Host) Result { cancel(); return pass("well") }},
		{ID: "late", Category: "c", Run: func(context.Context, Host) Result { return pass("well") }},
	}, Host{}, func(f Finding) { reported = append(reported, f.ID+" "+string(f.Outcome)) })
	if got, want := strings.Join(reported, ", "), "broken fail, last pass, late skip"; got != want {
		t.Errorf("reported %q, want %q", got, want)
	}
	if reports[0].Fix.IsZero() {
		t.Errorf("reports %+v", reports)
	}
}

func TestChecks_Timeouts(t *testing.T) {
	for _, c := range All() {
		synctest.Test(t, func(t *testing.T) {
			started := time.Now()
			c.Run = func(ctx context.Context, _ Host) Result { <-ctx.Done(); return pass("well") }
			c.attempt(t.Context(), Host{})
			want := checkTimeout
			if c.ID == "cache-intact" {
				want = 2 * time.Minute
			}
			if took := time.Since(started); took != want {
				t.Errorf("%s has the timeout %s, want %s", c.ID, took, want)
			}
		})
	}
}

func TestCacheIntact_TimeoutIsNotDamage(t *testing.T) {
	p := healthy()
	ctx, cancel := context.WithCancel(t.Context())
	p.CacheIntact = func(ctx context.Context) error { cancel(); return ctx.Err() }
	if got := cacheIntact(ctx, p.Host); got.Outcome != Warn || got.Fix.IsZero() {
		t.Errorf("%s %q, fix %q", got.Outcome, got.Message, got.Fix.Text(nil))
	}
}

func TestRun_MessageIsOneLine(t *testing.T) {
	reports := run(t.Context(), []Check{{ID: "broken", Category: "c", Run: func(context.Context, Host) Result {
		return fail(remedy.Advice("do this"), "asking: %v", remedy.New("no answer\nnor a port", remedy.Advice("do that")))
	}}}, Host{}, nil)
	if got, want := reports[0].Message, "asking: no answer; nor a port"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestDocument_JSON(t *testing.T) {
	got, err := json.Marshal(Document{[]Report{{"ports", "network", Fail, "no port", "ip link set lo up"}}})
	if err != nil {
		t.Fatal(err)
	}
	want := `{"checks":[{"id":"ports","category":"network","result":"fail","message":"no port","fix":"ip link set lo up"}]}`
	if string(got) != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

func TestThisHost_IsComplete(t *testing.T) {
	w := ThisHost(os.Getenv)
	// Tests use no network.
	w.Reach = func(context.Context, string) error { return nil }
	w.CacheDir = filepath.Join(t.TempDir(), "not", "yet")
	for _, r := range Run(t.Context(), w, nil) {
		if strings.Contains(r.Message, "the check panicked") {
			t.Errorf("%s: %s", r.ID, r.Message)
		}
		if r.ID == "cache-writable" && r.Outcome != Pass || r.ID == "disk-cache" && r.Outcome == Skip {
			t.Errorf("%s: %s %s", r.ID, r.Outcome, r.Message)
		}
		t.Logf("%-20s %-4s %s", r.ID, r.Outcome, r.Message)
	}
	if _, err := w.Exec(t.Context(), "go", "no-such-command"); err == nil || !strings.Contains(err.Error(), "no-such-command") {
		t.Errorf("the output of the program is missing: %v", err)
	}
}
