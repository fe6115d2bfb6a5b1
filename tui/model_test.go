package tui

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
)

func TestModel_Keys(t *testing.T) {
	wide := tea.WindowSizeMsg{Width: 120, Height: 40}
	for _, tt := range []struct {
		name   string
		msgs   []tea.Msg
		has    string
		hasNot string
	}{
		{"the first panel has the focus", []tea.Msg{wide}, "▶ Calls", "▶ Breakers"},
		{"tab moves the focus on", []tea.Msg{wide, press("tab")}, "▶ Breakers", "▶ Calls"},
		{"s sorts by the next column", []tea.Msg{wide, arrives(calm()), press("s")}, "4, by rate", "by name"},
		{"s has no effect outside the calls", []tea.Msg{wide, arrives(calm()), press("tab"), press("s")}, "4, by name", "by rate"},
		{"down scrolls the focused panel", []tea.Msg{wide, arrives(crowd()), press("tab"), press("tab"), press("down")}, " · 2-", ""},
		{"up stops at the top", []tea.Msg{wide, arrives(crowd()), press("tab"), press("tab"), press("up")}, " · 1-", ""},
		{"? shows the keys in full", []tea.Msg{wide, press("?")}, "q   quit", "•"},
		{"? again folds them", []tea.Msg{wide, press("?"), press("?")}, "q quit •", ""},
		{"p freezes the data", []tea.Msg{wide, arrives(calm()), press("p"), arrives(tripped()), tickMsg(noon.Add(9 * time.Second))},
			"paused, p resumes · Prometheus 9s", "○ open"},
		{"p resumes", []tea.Msg{wide, arrives(calm()), press("p"), press("p"), arrivesIn(2, tripped())}, "○ open", "paused"},
		{"an answer from before the pause is not shown", []tea.Msg{wide, arrives(calm()), press("p"), press("p"), arrives(tripped())}, "● closed", "○ open"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := screen(plainStyles(), tt.msgs...).View()
			if !strings.Contains(got, tt.has) {
				t.Errorf("%q is not in\n%s", tt.has, got)
			}
			if tt.hasNot != "" && strings.Contains(got, tt.hasNot) {
				t.Errorf("%q is in\n%s", tt.hasNot, got)
			}
		})
	}
}

func TestKeys_TabReturnsToTheFirstPanel(t *testing.T) {
	m := screen(plainStyles(), tea.WindowSizeMsg{Width: 120, Height: 40})
	for range m.panels {
		m = after(m, press("tab"))
	}
	if got := m.View(); !strings.Contains(got, "▶ Calls") || strings.Count(got, "▶") != 1 {
		t.Errorf("the first panel does not have the focus in\n%s", got)
	}
}

func TestScroll_StopsAtTheEnd(t *testing.T) {
	msgs := []tea.Msg{arrives(crowd())}
	for range 500 {
		msgs = append(msgs, press("down"))
	}
	got := viewOf(slotOf(t, "Pods"), size{80, 5}, append(msgs, press("up"))...)
	if !strings.Contains(got, "47-49 of 50") {
		t.Errorf("one up from the end is not visible in\n%s", got)
	}
}

func TestModel_Leaves(t *testing.T) {
	running, over := calm(), calm()
	running.Run = &telemetry.Run{Phase: "steps", Started: noon.Add(-time.Minute)}
	over.Run = &telemetry.Run{Phase: "done", Started: noon.Add(-time.Minute)}
	fresh := calm()
	fresh.Run = &telemetry.Run{Phase: "done", Started: noon.Add(time.Second)}
	for _, tt := range []struct {
		name         string
		exitWhenDone bool
		before       []tea.Msg
		last         tea.Msg
		leaves       bool
	}{
		{"q leaves", false, nil, press("q"), true},
		{"the end of the watched run leaves", true, []tea.Msg{arrives(running)}, arrives(over).of(string(telemetry.Scenario)), true},
		{"a run that started and ended between two reads leaves", true, nil, arrives(fresh).of(string(telemetry.Scenario)), true},
		{"the end of an earlier run does not", true, nil, arrives(over).of(string(telemetry.Scenario)), false},
		{"the end of a run does not without the option", false, []tea.Msg{arrives(running)}, arrives(over).of(string(telemetry.Scenario)), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := newModel(Options{ExitWhenDone: tt.exitWhenDone}, noEffects(), plainStyles(), sourceNames(), noon)
			next, cmd := after(m, tt.before...).Update(tt.last)
			if leaves := quits(next, cmd); leaves != tt.leaves {
				t.Errorf("leaves: %v, want %v", leaves, tt.leaves)
			}
		})
	}
}

// quits runs a command, gives its messages to the screen, and reports whether the screen is left.
func quits(m tea.Model, cmd tea.Cmd) bool {
	if cmd == nil {
		return false
	}
	switch msg := cmd().(type) {
	case nil:
		return false
	case tea.QuitMsg:
		return true
	case tea.BatchMsg:
		return slices.ContainsFunc(msg, func(c tea.Cmd) bool { return quits(m, c) })
	default:
		return quits(m.Update(msg))
	}
}

func TestHealth_Phases(t *testing.T) {
	base := health{staleAfter: 3 * time.Second}
	broken := errors.New("refused")
	for _, tt := range []struct {
		name  string
		h     health
		after time.Duration
		want  phase
	}{
		{"nothing yet", base, 0, loading},
		{"never anything but errors", base.failed(broken, nil), 0, failed},
		{"fresh", base.ok(noon), time.Second, ready},
		{"no answer for long", base.ok(noon), 4 * time.Second, stale},
		{"an error after data", base.ok(noon).failed(broken, nil), 0, stale},
		{"data after an error", base.failed(broken, nil).ok(noon), 0, ready},
	} {
		if got := tt.h.phase(noon.Add(tt.after)); got != tt.want {
			t.Errorf("%s: phase %d, want %d", tt.name, got, tt.want)
		}
	}
}

func TestFailures_ShowTheirRemedies(t *testing.T) {
	m := newModel(Options{Command: forBlue}, noEffects(), plainStyles(), sourceNames(), noon)
	err := remedy.New("reading the cluster: refused", remedy.Command("status"))
	got := after(m, readMsg{Reading: telemetry.Reading{Source: string(telemetry.Cluster), At: noon, Err: err}, done: noon}).View()
	if want := "cluster: reconnecting (attempt 1): reading the cluster: refused; try: sandbox"; !strings.Contains(got, want) || !strings.Contains(got, "status --name blue") {
		t.Errorf("%q is not in\n%s", want, got)
	}
}

// TestPanels_HintsNameTheSandbox: the commands in the panels are for the sandbox that the screen shows.
func TestPanels_HintsNameTheSandbox(t *testing.T) {
	killed := tripped()
	killed.Run.Result = telemetry.Killed
	for _, c := range []struct {
		title string
		shown snapshot
		want  string
	}{
		{"Calls", snapshot{At: noon}, "sandbox run pod-kill --name blue"},
		{"Pods", snapshot{At: noon}, "sandbox up --name blue"},
		{"Scenario", snapshot{At: noon}, "sandbox run pod-kill --name blue"},
		{"Scenario", killed, "sandbox undo --name blue reverts its changes"},
	} {
		m := newModel(Options{Command: forBlue}, noEffects(), plainStyles(), sourceNames(), noon)
		m = after(onlyPanel(m, slotOf(t, c.title)), tea.WindowSizeMsg{Width: 120, Height: 20}, arrives(c.shown))
		if got := m.View(); !strings.Contains(got, c.want) {
			t.Errorf("%q is not in\n%s", c.want, got)
		}
	}
}

// forBlue renders a command for a sandbox called blue.
func forBlue(args []string) string { return "sandbox " + strings.Join(args, " ") + " --name blue" }

func TestModel_BacksOffAfterFailures(t *testing.T) {
	var waits []time.Duration
	w := noEffects()
	w.due = func(_ int, _ string, d time.Duration) tea.Cmd { waits = append(waits, d); return nil }
	m := newModel(Options{Refresh: 500 * time.Millisecond}, w, plainStyles(), sourceNames(), noon)
	for range 6 {
		m = after(m, failsAlone(string(telemetry.Cluster), noon, "refused"))
	}
	after(m, arrives(calm()).of(string(telemetry.Cluster)))
	ms := time.Millisecond
	want := []time.Duration{1000 * ms, 2000 * ms, 4000 * ms, 8000 * ms, 10_000 * ms, 10_000 * ms, 500 * ms}
	for i := range want {
		if waits[i] != want[i] {
			t.Fatalf("waits %v, want %v", waits, want)
		}
	}
}
