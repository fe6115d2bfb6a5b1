package tui

import (
	"fmt"
	"slices"
	"syscall"
	"testing"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/muesli/termenv"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
)

// many is n calls, breakers, pods and events.
func many(n int) snapshot {
	s := snapshot{At: noon, Run: &telemetry.Run{Scenario: "x", Phase: "steps", Started: noon}}
	for i := range n {
		e := telemetry.Edge{Caller: fmt.Sprintf("caller-%d", i%50), Callee: fmt.Sprintf("callee-%d", i%70), Method: fmt.Sprintf("x.v1.X/Method%d", i), Rate: float64(i)}
		s.Edges = append(s.Edges, e)
		s.Breakers = append(s.Breakers, telemetry.Breaker{Caller: e.Caller, Callee: e.Callee, Method: e.Method, State: telemetry.Closed,
			Since: noon, Reason: "50% of 100 calls failed"})
		s.Pods = append(s.Pods, telemetry.Pod{Name: fmt.Sprintf("userservice-6c9d7b5f4-%05d", i), Phase: "Running", Ready: i%10 != 7, Started: noon})
		s.Run.Timeline = append(s.Run.Timeline, telemetry.Event{Seq: uint64(i), At: noon.Add(time.Duration(i) * time.Second), Kind: "breaker",
			Subject: "a → b", Detail: "closed → open: 26.0% of 631 calls failed"})
	}
	return s
}

// second returns the messages of one second at the default refresh, in order.
func second(s snapshot, at time.Time) (msgs []tea.Msg) {
	for elapsed := time.Duration(0); elapsed < time.Second; elapsed += 100 * time.Millisecond {
		now := at.Add(elapsed)
		if elapsed%tickEvery == 0 {
			msgs = append(msgs, tickMsg(now))
		}
		if elapsed%defaultRefresh == 0 {
			s.At = now
			for _, a := range arrives(s) {
				msgs = append(msgs, dueMsg{source: a.Source}, a)
			}
		}
	}
	return msgs
}

// cpu is the CPU time that this process has used, which does not depend on the load of the machine.
func cpu(b *testing.B) time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// BenchmarkSecond is one second of the screen in a large window, drawn after each message as Bubble Tea does. %core is its share of a core.
func BenchmarkSecond(b *testing.B) {
	for _, n := range []int{10, 500, 5000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			snap := many(n)
			m := screen(stylesIn(termenv.TrueColor), tea.WindowSizeMsg{Width: 200, Height: 60}, arrives(snap))
			drawn, before := 0, cpu(b)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				for j := range snap.Edges {
					snap.Edges[j].Rate++
				}
				for _, msg := range second(snap, noon.Add(time.Duration(i)*time.Second)) {
					m = after(m, msg)
					drawn += len(m.View())
				}
			}
			if drawn == 0 {
				b.Error("nothing was drawn")
			}
			b.ReportMetric(100*(cpu(b)-before).Seconds()/float64(b.N), "%core")
		})
	}
}

func TestDrawing_OnlyOnChange(t *testing.T) {
	m := screen(plainStyles(), tea.WindowSizeMsg{Width: 200, Height: 60}, arrives(many(500)))
	var cluster []int
	for i, s := range m.slots {
		if s.source == string(telemetry.Cluster) {
			cluster = append(cluster, i)
		}
	}
	drawn := func(m Model) (panels []int) {
		for i, view := range m.canvas.views {
			if view == "" || m.canvas.views[i] == "mark" {
				continue
			}
			panels = append(panels, i)
		}
		return panels
	}
	marked := func() Model {
		m := m
		m.canvas.views = slices.Repeat([]string{"mark"}, len(m.panels))
		m.canvas.text = "mark"
		return m
	}
	if got := after(marked(), tickMsg(noon.Add(tickEvery))); len(drawn(got)) != 0 || got.View() != "mark" {
		t.Errorf("a tick that changes nothing draws the panels %v", drawn(got))
	}
	if got := after(marked(), dueMsg{}); len(drawn(got)) != 0 || got.View() != "mark" {
		t.Errorf("a read that is due draws the panels %v", drawn(got))
	}
	if got := after(marked(), arrives(many(500)).of(string(telemetry.Cluster))); !slices.Equal(drawn(got), cluster) {
		t.Errorf("an answer of the cluster draws the panels %v, want %v", drawn(got), cluster)
	}
	if got := after(marked(), press("down")); len(drawn(got)) != len(got.panels) {
		t.Errorf("a key draws the panels %v", drawn(got))
	}
}

func TestDrawing_OnlyVisibleRows(t *testing.T) {
	cost := func(n int) float64 {
		m := screen(plainStyles(), tea.WindowSizeMsg{Width: 200, Height: 60}, arrives(many(n)))
		return testing.AllocsPerRun(10, func() { after(m, press("down")) })
	}
	if few, more := cost(100), cost(1000); more > 1.2*few+50 {
		t.Errorf("a key costs %.0f allocations with 100 rows and %.0f with 1000", few, more)
	}
}
