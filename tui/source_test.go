package tui

import (
	"strings"
	"testing"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
)

// rules returns the title lines of the panels, by title.
func rules(view string) map[string]string {
	found := map[string]string{}
	for _, l := range strings.Split(view, "\n") {
		for _, s := range slots() {
			title := titleOf(s)
			if strings.HasPrefix(l, "─ "+title+" ") || strings.HasPrefix(l, "▶ "+title+" ") {
				found[title] = l
			}
		}
	}
	return found
}

func TestSources_FailureAffectsItsPanelsOnly(t *testing.T) {
	drawnFrom := map[string]string{}
	for _, s := range slots() {
		drawnFrom[titleOf(s)] = s.source
	}
	for _, source := range sourceNames() {
		t.Run(source, func(t *testing.T) {
			m := screen(plainStyles(), tea.WindowSizeMsg{Width: 120, Height: 40}, arrives(tripped()))
			for passed := time.Second; passed <= 12*time.Second; passed += time.Second {
				m = after(m, alive(tripped(), source, passed))
			}
			view := m.View()
			for title, rule := range rules(view) {
				if got := strings.Contains(rule, "▲ stale 12s"); got != (drawnFrom[title] == source) {
					t.Errorf("stale: %v in %s", got, rule)
				}
			}
			head := strings.Split(view, "\n")
			if !strings.Contains(head[0], "▲ partly stale") || !strings.Contains(head[0], source+" ▲12s") || strings.Count(head[0], " 0s") != len(sourceNames())-1 {
				t.Errorf("the header reads %s", head[0])
			}
			if !strings.HasPrefix(head[1], source+": reconnecting (attempt 12): reading") {
				t.Errorf("the reason reads %s", head[1])
			}
		})
	}
}

func TestSources_WithoutAnAnswer(t *testing.T) {
	view := screen(plainStyles(), tea.WindowSizeMsg{Width: 120, Height: 40}, alive(tripped(), string(telemetry.Prometheus), 0)).View()
	for _, want := range []string{"no data ━", "Prometheus ✖ · control 0s", "paymentservice-6c9d7b5f4", "○ open", "▸ steps"} {
		if !strings.Contains(view, want) {
			t.Errorf("%q is not in\n%s", want, view)
		}
	}
}

func TestSources_HangingSourceIsStale(t *testing.T) {
	m := screen(plainStyles(), tea.WindowSizeMsg{Width: 120, Height: 40}, arrives(tripped()))
	for _, source := range []string{"control", "cluster", "run"} {
		s := tripped()
		s.At = noon.Add(9 * time.Second)
		m = after(m, arrives(s).of(source))
	}
	found := rules(m.View())
	if !strings.Contains(found["Calls"], "▲ stale 9s") || strings.Contains(found["Pods"], "stale") {
		t.Errorf("got %q", found)
	}
}

func TestAges_StopWithTheData(t *testing.T) {
	for name, msgs := range map[string][]tea.Msg{
		"paused": {arrives(tripped()), press("p"), tickMsg(noon.Add(10 * time.Minute))},
		"stale":  {arrives(tripped()), fails(noon.Add(time.Second), "refused"), tickMsg(noon.Add(10 * time.Minute))},
	} {
		got := screen(plainStyles(), append([]tea.Msg{tea.WindowSizeMsg{Width: 120, Height: 40}}, msgs...)...).View()
		for _, want := range []string{"Charge                             4s", "11m00s", "breaker-trip · running 12s"} {
			if !strings.Contains(got, want) {
				t.Errorf("%s: %q is not in\n%s", name, want, got)
			}
		}
	}
}

func TestSparkline_GapInTheDataIsAGap(t *testing.T) {
	msgs := []tea.Msg{tea.WindowSizeMsg{Width: 120, Height: 40}}
	at := func(d time.Duration) answers {
		s := calm()
		s.At = noon.Add(d)
		return arrives(s)
	}
	for i := range 5 {
		msgs = append(msgs, at(time.Duration(i)*500*time.Millisecond))
	}
	for i := range 6 {
		msgs = append(msgs, fails(noon.Add(time.Duration(5+i)*500*time.Millisecond), "refused"))
	}
	msgs = append(msgs, at(7*time.Second), at(7500*time.Millisecond))
	got := screen(plainStyles(), msgs...).View()
	if want := "31ms         █████         ██\n"; !strings.Contains(got, want) {
		t.Errorf("%q is not in\n%s", want, got)
	}
}

func TestTimeline_KilledRunDoesNotRun(t *testing.T) {
	s := tripped()
	s.Run.Started, s.Run.Result = noon.Add(-time.Hour), telemetry.Killed
	got := screen(plainStyles(), tea.WindowSizeMsg{Width: 120, Height: 40}, arrives(s)).View()
	if !strings.Contains(got, "breaker-trip · killed ") || !strings.Contains(got, "✖ killed in phase steps: sandbox undo ") || strings.Contains(got, "running") {
		t.Errorf("got\n%s", got)
	}
}

func TestTimeline_SkippedPhasesAreNotTicked(t *testing.T) {
	s := calm()
	s.Run = &telemetry.Run{Scenario: "x", Phase: "cleanup", Started: noon}
	for _, phase := range []string{"plan", "steady", "cleanup"} {
		s.Run.Timeline = append(s.Run.Timeline, telemetry.Event{At: noon, Kind: "phase", Subject: phase})
	}
	got := screen(plainStyles(), tea.WindowSizeMsg{Width: 120, Height: 40}, arrives(s)).View()
	if want := "✓ plan  ✓ steady  – steps  – recover  – verdict  ▸ cleanup"; !strings.Contains(got, want) {
		t.Errorf("%q is not in\n%s", want, got)
	}
}

func TestPause_IsShownWithoutData(t *testing.T) {
	for name, msgs := range map[string][]tea.Msg{
		"before the first answer": {press("p"), arrives(calm())},
		"after a failure":         {fails(noon, "refused"), press("p")},
	} {
		got := screen(plainStyles(), msgs...).View()
		if head, _, _ := strings.Cut(got, "\n"); !strings.Contains(head, "■ paused, p resumes") || strings.Contains(got, "reconnecting") {
			t.Errorf("%s:\n%s", name, got)
		}
	}
}
