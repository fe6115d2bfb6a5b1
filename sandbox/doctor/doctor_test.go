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

func TestAFitWorldPassesEveryCheck(t *testing.T) {
	for _, r := range Run(t.Context(), fit().World, nil) {
		if r.Outcome != Pass || r.Message == "" || !r.Fix.IsZero() {
			t.Errorf("%s: %s %q, fix %q; want pass with a message", r.ID, r.Outcome, r.Message, r.Fix.Text(nil))
		}
	}
}

func TestEveryFaultIsFoundAndHasItsFix(t *testing.T) {
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
			p := fit()
			f.harm(p)
			got := c.Run(t.Context(), p.World)
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

// TestNoFaultLeavesAnyCheckWithoutFix runs all checks in every unfit world, since one defect shows in several.
func TestNoFaultLeavesAnyCheckWithoutFix(t *testing.T) {
	for _, f := range faults {
		p := fit()
		f.harm(p)
		for _, r := range Run(t.Context(), p.World, nil) {
			if (r.Outcome == Fail || r.Outcome == Warn) && r.Fix.IsZero() {
				t.Errorf("%s, %s: %s says %s %q without a fix", f.check, f.about, r.ID, r.Outcome, r.Message)
			}
		}
	}
}

// ofSandbox finds the command lines that are about one sandbox; the cache that images list shows is everybody's.
var ofSandbox = regexp.MustCompile(`sandbox (?:up|down|status|logs|doctor|watch)\b[^;:,]*`)

func TestEveryRemedyIsForTheSandboxThatIsExamined(t *testing.T) {
	seen := 0
	for _, f := range faults {
		p := fit()
		f.harm(p)
		blue := func(args []string) string { return "sandbox " + remedy.Quote(args...) + " --name blue" }
		for _, r := range NewDocument(Run(t.Context(), p.World, nil), blue).Checks {
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

func TestEveryRemedyOfKubectlIsForTheSandboxesCluster(t *testing.T) {
	seen := 0
	for _, f := range faults {
		p := fit()
		f.harm(p)
		for _, r := range Run(t.Context(), p.World, nil) {
			for part := range strings.SplitSeq(r.Fix.Text(nil), "|") {
				if !strings.Contains(part, "kubectl") {
					continue
				}
				if seen++; !strings.HasPrefix(strings.TrimSpace(part), "KUBECONFIG=/home/dev/.sandbox/kubeconfig ") {
					t.Errorf("%s, %s: %s says %q, of whichever cluster the user is on", f.check, f.about, r.ID, r.Fix.Text(nil))
				}
			}
		}
	}
	if seen < 5 {
		t.Errorf("kubectl is named %d times", seen)
	}
}

func TestSkips(t *testing.T) {
	p := fit()
	p.Cluster, p.Lacking, p.EngineProbe, p.CacheIntact = nil, nil, nil, nil
	p.CacheDir, p.EngineStorage, p.Kubeconfig, p.Registries = "", nil, "", nil
	delete(p.programs, "go")
	p.files = nil
	skipped := 0
	for _, r := range Run(t.Context(), p.World, nil) {
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

func TestCatalog(t *testing.T) {
	all := All()
	if len(all) < 25 {
		t.Errorf("%d checks", len(all))
	}
	seen := map[string]bool{}
	kebab := regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`)
	for _, c := range all {
		if seen[c.ID] || !kebab.MatchString(c.ID) || c.Category == "" || c.About == "" {
			t.Errorf("check %q of %q about %q: ids are unique and in kebab case, and nothing is empty", c.ID, c.Category, c.About)
		}
		seen[c.ID] = true
	}
}

func TestRunOutlivesItsChecks(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var told []string
	reports := run(ctx, []Check{
		{"broken", "c", "a", func(context.Context, World) Result { panic("oh") }},
		{"last", "c", "a", func(context.Context, World) Result { cancel(); return pass("well") }},
		{"late", "c", "a", func(context.Context, World) Result { return pass("well") }},
	}, World{}, func(f Finding) { told = append(told, f.ID+" "+string(f.Outcome)) })
	if got, want := strings.Join(told, ", "), "broken fail, last pass, late skip"; got != want {
		t.Errorf("told %q, want %q", got, want)
	}
	if reports[0].Fix.IsZero() {
		t.Errorf("reports %+v", reports)
	}
}

func TestACheckThatReadsAllImagesHasTimeForIt(t *testing.T) {
	for _, c := range All() {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			c.Run = func(ctx context.Context, _ World) Result { <-ctx.Done(); return pass("well") }
			c.attempt(t.Context(), World{})
			want := patience
			if c.ID == "cache-intact" {
				want = 2 * time.Minute
			}
			if took := time.Since(began); took != want {
				t.Errorf("%s is cut off after %s, want %s", c.ID, took, want)
			}
		})
	}
}

func TestImagesThatCouldNotBeReadInTimeAreNotCalledDamaged(t *testing.T) {
	p := fit()
	ctx, cancel := context.WithCancel(t.Context())
	p.CacheIntact = func(ctx context.Context) error { cancel(); return ctx.Err() }
	if got := cacheIntact(ctx, p.World); got.Outcome != Warn || got.Fix.IsZero() {
		t.Errorf("%s %q, fix %q", got.Outcome, got.Message, got.Fix.Text(nil))
	}
}

func TestAFindingIsOneLineWithOneRemedy(t *testing.T) {
	reports := run(t.Context(), []Check{{"broken", "c", "a", func(context.Context, World) Result {
		return fail(remedy.Advice("do this"), "asking: %v", remedy.New("no answer\nnor a port", remedy.Advice("do that")))
	}}}, World{}, nil)
	if got, want := reports[0].Message, "asking: no answer; nor a port"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestDocumentKeepsItsShape(t *testing.T) {
	got, err := json.Marshal(Document{[]Report{{"ports", "network", Fail, "no port", "ip link set lo up"}}})
	if err != nil {
		t.Fatal(err)
	}
	want := `{"checks":[{"id":"ports","category":"network","result":"fail","message":"no port","fix":"ip link set lo up"}]}`
	if string(got) != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

func TestHostWorldIsWhole(t *testing.T) {
	w := HostWorld(os.Getenv)
	w.Reach = func(context.Context, string) error { return nil } // tests stay at home
	w.CacheDir = filepath.Join(t.TempDir(), "not", "yet")
	for _, r := range Run(t.Context(), w, nil) {
		if strings.Contains(r.Message, "the check itself broke") {
			t.Errorf("%s: %s", r.ID, r.Message)
		}
		if r.ID == "cache-writable" && r.Outcome != Pass || r.ID == "disk-cache" && r.Outcome == Skip {
			t.Errorf("%s: %s %s", r.ID, r.Outcome, r.Message)
		}
		t.Logf("%-20s %-4s %s", r.ID, r.Outcome, r.Message)
	}
	if _, err := w.Exec(t.Context(), "go", "no-such-command"); err == nil || !strings.Contains(err.Error(), "no-such-command") {
		t.Errorf("what the program said is lost: %v", err)
	}
}
