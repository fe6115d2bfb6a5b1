package sandbox

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func newFolders(t *testing.T) Folders {
	t.Helper()
	dir := t.TempDir()
	return Folders{Config: filepath.Join(dir, "config"), Cache: filepath.Join(dir, "cache")}
}

func write(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("error %q does not say %q", err, p)
		}
	}
}

func TestTheSecondLockSaysWhoHoldsIt(t *testing.T) {
	f := newFolders(t)
	unlock, err := lock(f, "one", "up")
	if err != nil {
		t.Fatal(err)
	}
	_, err = lock(f, "one", "down")
	var locked *LockedError
	if !errors.As(err, &locked) || locked.Name != "one" {
		t.Fatalf("got %v", err)
	}
	for _, part := range []string{"`sandbox up`", fmt.Sprintf("process %d", os.Getpid())} {
		if !strings.Contains(locked.Holder, part) {
			t.Errorf("holder %q does not say %q", locked.Holder, part)
		}
	}
	wantError(t, err, "sandbox one is being changed by "+locked.Holder, "\ntry: wait for it")

	other, err := lock(f, "two", "up")
	if err != nil {
		t.Fatalf("another sandbox is locked too: %v", err)
	}
	other()
	unlock()
	again, err := lock(f, "one", "down")
	if err != nil {
		t.Fatalf("unlocked, it is still locked: %v", err)
	}
	again()
	if left, _ := filepath.Glob(filepath.Join(f.Config, "*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestAHolderThatHasNotSaidItsNameYet(t *testing.T) {
	f := newFolders(t)
	unlock, err := lock(f, "one", "up")
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	if err := os.Truncate(filepath.Join(f.Config, "one.lock"), 0); err != nil {
		t.Fatal(err)
	}
	_, err = lock(f, "one", "down")
	wantError(t, err, "is being changed by another command")
}

// TestALockGoesWithItsProcess kills a process that holds the lock; that process is this test, run with a folder in its environment.
func TestALockGoesWithItsProcess(t *testing.T) {
	const folder = "SANDBOX_TEST_LOCK_FOLDER"
	if dir := os.Getenv(folder); dir != "" {
		if _, err := lock(Folders{Config: dir}, "one", "run"); err != nil {
			t.Fatal(err)
		}
		fmt.Println("locked")
		select {} // until it is killed
	}
	f := newFolders(t)
	holder := exec.Command(os.Args[0], "-test.run=^TestALockGoesWithItsProcess$")
	holder.Env = append(os.Environ(), folder+"="+f.Config)
	out, err := holder.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	line, _ := bufio.NewReader(out).ReadString('\n')
	if line != "locked\n" {
		t.Errorf("the holder says %q", line)
	}
	_, held := lock(f, "one", "up")
	if err := holder.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = holder.Wait() // "signal: killed"
	wantError(t, held, fmt.Sprintf("process %d", holder.Process.Pid))
	if _, err := os.Stat(filepath.Join(f.Config, "one.lock")); err != nil {
		t.Errorf("a killed process leaves its file: %v", err)
	}
	unlock, err := lock(f, "one", "up")
	if err != nil {
		t.Fatalf("a dead process still holds the lock: %v", err)
	}
	defer unlock()
	_, err = lock(f, "one", "down")
	wantError(t, err, fmt.Sprintf("process %d", os.Getpid()))
	if strings.Contains(err.Error(), fmt.Sprintf("process %d,", holder.Process.Pid)) {
		t.Errorf("the dead holder is named: %v", err)
	}
}

func TestALongerNoteOfADeadHolderIsGone(t *testing.T) {
	f := newFolders(t)
	write(t, filepath.Join(f.Config, "one.lock"), strings.Repeat("dead ", 100), 0o600)
	unlock, err := lock(f, "one", "up")
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	_, err = lock(f, "one", "down")
	if err == nil || strings.Contains(err.Error(), "dead") {
		t.Errorf("got %v", err)
	}
}

// TestOnlyOneHoldsTheLock: a holder removes the file as it leaves, so a waiter may have opened a file that is gone.
func TestOnlyOneHoldsTheLock(t *testing.T) {
	f := newFolders(t)
	var holders, most, times atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 500 {
				unlock, err := lock(f, "one", "up")
				if err != nil {
					var locked *LockedError
					if !errors.As(err, &locked) {
						t.Error(err)
					}
					continue
				}
				times.Add(1)
				if n := holders.Add(1); n > 1 {
					most.Store(n)
				}
				runtime.Gosched()
				holders.Add(-1)
				unlock()
			}
		})
	}
	all.Wait()
	if most.Load() > 1 || times.Load() == 0 {
		t.Errorf("%d held it at once; it was held %d times", most.Load(), times.Load())
	}
}

func TestCheckName(t *testing.T) {
	for _, c := range []struct {
		sentence, name string
		ok             bool
	}{
		{"the default", DefaultName, true},
		{"one letter", "a", true},
		{"letters, digits and dashes", "team-7", true},
		{"40 characters", strings.Repeat("a", 40), true},
		{"41 characters", strings.Repeat("a", 41), false},
		{"nothing", "", false},
		{"a digit first", "7up", false},
		{"a dash first, which a program would take for a flag", "-a", false},
		{"an upper-case letter", "Sandbox", false},
		{"a path", "../etc", false},
		{"a dot", "a.b", false},
		{"a line after the name", "a\n", false},
	} {
		err := CheckName(c.name)
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", c.sentence, err)
		}
		if !c.ok {
			wantError(t, err, "--name", "\ntry: --name sandbox")
		}
	}
	if name := filepath.Base(Folders{}.podmanFolder()); CheckName(name) == nil {
		t.Errorf("a sandbox may be called %s, and its `down` would remove podman's settings", name)
	}
}

func TestState(t *testing.T) {
	f := newFolders(t)
	if s, err := readState(f, "one"); err != nil || s != (state{}) {
		t.Errorf("without a file it is empty: %+v, %v", s, err)
	}
	for _, c := range []struct {
		sentence string
		state    state
	}{
		{"a cluster that is half made has no time", state{Engine: "podman"}},
		{"a cluster that is made has one", state{Engine: "docker", Created: time.Date(2030, 1, 2, 3, 4, 5, 6, time.UTC)}},
	} {
		if err := writeState(f, "one", c.state); err != nil {
			t.Fatal(err)
		}
		if got, err := readState(f, "one"); err != nil || got != c.state {
			t.Errorf("%s: got %+v, %v", c.sentence, got, err)
		}
	}
	if other, err := readState(f, "two"); err != nil || other != (state{}) {
		t.Errorf("another sandbox has a state of its own: %+v, %v", other, err)
	}
	write(t, filepath.Join(f.Config, "one", "state.json"), `{"engine":"pod`, 0o600)
	_, err := readState(f, "one")
	wantError(t, err, "reading the state of sandbox one", "\ntry: sandbox down --name one")
}

func TestFindSourceTree(t *testing.T) {
	root := t.TempDir()
	write(t, filepath.Join(root, "go.mod"), "module github.com/grpc-sandbox/sandbox\n\ngo 1.26\n", 0o644)
	write(t, filepath.Join(root, "sandbox/images/recipes/etcd/go.mod"), "module example.org/etcd\n", 0o644)
	write(t, filepath.Join(root, "other/go.mod"), "module github.com/grpc-sandbox/sandbox-two\n", 0o644)
	elsewhere := t.TempDir()
	write(t, filepath.Join(elsewhere, "go.mod"), "module github.com/grpc-sandbox/sandbox2\n", 0o644)
	for _, c := range []struct{ sentence, folder, want string }{
		{"the checkout itself", root, root},
		{"a folder deep in it", filepath.Join(root, "sandbox", "images"), root},
		{"a nested module belongs to it", filepath.Join(root, "sandbox/images/recipes/etcd"), root},
		{"a folder that is not there yet belongs to it", filepath.Join(root, "new", "folder"), root},
		{"another project is not it, though its name begins alike", elsewhere, ""},
		{"no project at all", t.TempDir(), ""},
	} {
		if got := FindSourceTree(c.folder); got != c.want {
			t.Errorf("%s: got %q, want %q", c.sentence, got, c.want)
		}
	}
}

func TestRecorder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failed := errors.New("broken")
		var heard []Progress
		var r *recorder
		r = newRecorder(func(p Progress) {
			if !r.mu.TryLock() {
				t.Fatal("the observer is called under the recorder's lock, and would wait for ever if it asked something")
			}
			r.mu.Unlock()
			heard = append(heard, p)
		})
		err := r.step(t.Context(), "one", func(_ context.Context, doing func(string)) error {
			<-time.After(2 * time.Second) // the test's own clock
			doing("half")
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		r.note("one", "by the way")
		if err := r.step(t.Context(), "two", func(context.Context, func(string)) error { <-time.After(time.Second); return failed }); !errors.Is(err, failed) {
			t.Errorf("the step's error is lost: %v", err)
		}
		rows := []Took{{Step: "one", Start: 0, Took: 2 * time.Second}, {Step: "two", Start: 2 * time.Second, Took: time.Second}}
		if diff := cmp.Diff(rows, r.table()); diff != "" {
			t.Errorf("rows (-want +got):\n%s", diff)
		}
		want := []Progress{
			{Step: "one"}, {Step: "one", Doing: "half"}, {Step: "one", Done: true, Took: 2 * time.Second}, {Step: "one", Note: "by the way"},
			{Step: "two"}, {Step: "two", Done: true, Err: failed, Took: time.Second},
		}
		if !slices.Equal(want, heard) {
			t.Errorf("heard %+v, want %+v", heard, want)
		}
		r.table()[0].Step = "changed"
		if r.table()[0].Step != "one" {
			t.Error("a reader may change the recorder's rows")
		}
		if err := newRecorder(nil).step(t.Context(), "unheard", func(_ context.Context, doing func(string)) error { doing("x"); return nil }); err != nil {
			t.Errorf("without an observer: %v", err)
		}
	})
}

// fakeEngines puts programs into PATH, and nothing else of the engines; each records its calls and then runs its body.
func fakeEngines(t *testing.T, bodies map[string]string) (calls func() string) {
	t.Helper()
	dir := t.TempDir()
	log := filepath.Join(dir, "calls")
	write(t, log, "", 0o644)
	for name, body := range bodies {
		write(t, filepath.Join(dir, name), "#!/bin/sh\necho \""+name+" $*\" >> '"+log+"'\n"+body+"\n", 0o755)
	}
	t.Setenv("PATH", dir)
	t.Setenv("CONTAINERS_CONF", "") // Down may set it; the test puts it back
	return func() string {
		data, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
}

func TestDown(t *testing.T) {
	const (
		with = `case "$1 $2" in
"ps -a") printf 'one-control-plane\tUp 1 minute\n';;
"ps -aq") echo aaa;;
"inspect --format") echo '[]';;
esac`
		without = "true"
		dead    = `echo "cannot connect" >&2; exit 1`
	)
	remembered := `{"engine":"podman","created":"2030-01-02T03:04:05Z"}`
	for _, c := range []struct {
		sentence string
		state    string
		engine   string // --engine
		engines  map[string]string
		found    bool
		removes  []string
		fails    string
	}{
		{"the engine that the sandbox remembers is asked, and no other", remembered, "docker", map[string]string{"docker": with, "podman": with}, true, []string{"podman rm -f -v aaa"}, ""},
		{"nothing there is fine", "", "", map[string]string{"docker": with}, false, nil, ""},
		{"without a memory, the engine that was named is asked", "", "docker", map[string]string{"docker": with}, true, []string{"docker rm -f -v aaa"}, ""},
		{"a damaged state keeps nothing alive, whichever engine has it", "{", "", map[string]string{"docker": dead, "podman": with, "nerdctl": without}, true, []string{"podman rm -f -v aaa"}, ""},
		{"a damaged state with an engine named asks that one", "{", "podman", map[string]string{"docker": with, "podman": with}, true, []string{"podman rm -f -v aaa"}, ""},
		{"an engine that does not answer is an error", remembered, "", map[string]string{"podman": dead}, false, nil, "cannot connect\ntry: sandbox doctor"},
		{"a damaged state with no engine that answers is an error", "{", "", map[string]string{"docker": dead}, false, nil, "cannot connect\ntry: sandbox doctor"},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			f := newFolders(t)
			if c.state != "" {
				write(t, filepath.Join(f.Config, "one", "state.json"), c.state, 0o600)
			}
			calls := fakeEngines(t, c.engines)
			found, err := Down(t.Context(), DownOptions{Name: "one", Engine: c.engine, Folders: f})
			_, left := os.Stat(filepath.Join(f.Config, "one"))
			if c.fails != "" {
				wantError(t, err, c.fails)
				if c.state != "" && left != nil {
					t.Errorf("what the sandbox remembers is gone, so the next `down` would find nothing: %v", left)
				}
				return
			}
			if err != nil || found != c.found {
				t.Fatalf("found %v, %v", found, err)
			}
			var removed []string
			for line := range strings.Lines(calls()) {
				if strings.Contains(line, " rm -f -v ") {
					removed = append(removed, strings.TrimSpace(line))
				}
			}
			if !slices.Equal(removed, c.removes) {
				t.Errorf("removed %q, want %q", removed, c.removes)
			}
			if !os.IsNotExist(left) {
				t.Errorf("the sandbox's folder is still there: %v", left)
			}
			if again, err := Down(t.Context(), DownOptions{Name: "one", Folders: f}); err != nil || again {
				t.Errorf("the second time: %v, %v", again, err)
			}
		})
	}
}

func TestDownRefuses(t *testing.T) {
	f := newFolders(t)
	_, err := Down(t.Context(), DownOptions{Name: "../x", Folders: f})
	wantError(t, err, "--name")
	unlock, err := lock(f, "one", "up")
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	_, err = Down(t.Context(), DownOptions{Name: "one", Folders: f})
	wantError(t, err, "is being changed by `sandbox up`")
}

func TestOpen(t *testing.T) {
	const made = `{"engine":"podman","created":"2030-01-02T03:04:05Z"}`
	for _, c := range []struct {
		sentence, name, state string
		kubeconfig            bool
		fails                 string
	}{
		{"a sandbox that is up", "one", made, true, ""},
		{"one that never was", "one", "", false, "sandbox one is not up\ntry: sandbox up --name one"},
		{"the default one that never was", DefaultName, "", false, "is not up\ntry: sandbox up"},
		{"one that is half made", "one", `{"engine":"podman"}`, true, "is not up"},
		{"one without its kubeconfig", "one", made, false, "is not up"},
		{"one with a damaged state", "one", "{", true, "try: sandbox down --name one"},
		{"a name that cannot be", "One", "", false, "--name"},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			f := newFolders(t)
			t.Setenv("CONTAINERS_CONF", "")
			if c.state != "" {
				write(t, filepath.Join(f.Config, c.name, "state.json"), c.state, 0o600)
			}
			if c.kubeconfig {
				write(t, f.Kubeconfig(c.name), "", 0o600)
			}
			got, err := Open(t.Context(), f, c.name)
			if c.fails != "" {
				wantError(t, err, c.fails)
				return
			}
			if err != nil || got.Name != "one" || got.Engine.Name != "podman" || got.Kubeconfig != f.Kubeconfig("one") {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

func TestEveryReleaseRunsImagesOfTheCatalog(t *testing.T) {
	for _, r := range Releases() {
		if slices.Contains(r.Images, "") {
			t.Errorf("%s runs an image that the catalog of images does not have: %q", r.Name, r.Images)
		}
	}
}
