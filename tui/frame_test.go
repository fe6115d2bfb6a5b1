package tui

import (
	"fmt"
	"strings"
	"testing"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
)

// shop is the calls of the shop: several methods of the same two services, and one method with several callers.
func shop() snapshot {
	s := snapshot{At: noon}
	for _, m := range []string{"orderservice inventoryservice Reserve", "orderservice inventoryservice Release", "orderservice inventoryservice Commit",
		"orderservice paymentservice Charge", "orderservice paymentservice Refund", "orderservice userservice GetUser", "loadgen userservice GetUser",
		"loadgen orderservice CreateOrder"} {
		f := strings.Fields(m)
		e := telemetry.Edge{Caller: f[0], Callee: f[1], Method: "x.v1.X/" + f[2], Rate: 50, P50: time.Millisecond, P99: time.Millisecond}
		s.Edges = append(s.Edges, e)
		s.Breakers = append(s.Breakers, telemetry.Breaker{Caller: f[0], Callee: f[1], Method: e.Method, State: telemetry.Closed, Since: noon})
	}
	return s
}

func TestRows_AreDistinguishableAtEveryWidth(t *testing.T) {
	s := shop()
	for width := smallestWidth; width <= 200; width++ {
		m := screen(plainStyles(), tea.WindowSizeMsg{Width: width, Height: 60}, arrives(s))
		for panel, title := range []string{"Calls", "Breakers"} {
			rows := strings.Split(m.canvas.views[panel], "\n")[2:][:len(s.Edges)]
			seen := map[string]bool{}
			for i, row := range rows {
				if seen[row] || !strings.Contains(row, " → ") {
					t.Errorf("width %d, %s: row %d reads %q, as another one does", width, title, i+1, strings.TrimRight(row, " "))
				}
				seen[row] = true
			}
			for _, method := range []string{"Reserve", "Release", "Commit", "Charge", "Refund", "GetUser", "CreateOrder"} {
				if !strings.Contains(strings.Join(rows, "\n"), " "+method+" ") {
					t.Errorf("width %d, %s: %s is cut", width, title, method)
				}
			}
		}
	}
}

func TestKeys_ScrollByPagesAndToTheEnds(t *testing.T) {
	for _, c := range []struct {
		keys, shows string
	}{
		{"down", "2-4 of 50"},
		{"up", "1-3 of 50"},
		{"down up", "1-3 of 50"},
		{"end", "48-50 of 50"},
		{"G", "48-50 of 50"},
		{"pgdown", "4-6 of 50"},
		{"pgdown pgdown pgup", "4-6 of 50"},
		{"end home", "1-3 of 50"},
		{"end g", "1-3 of 50"},
	} {
		msgs := []tea.Msg{arrives(crowd())}
		for _, k := range strings.Fields(c.keys) {
			msgs = append(msgs, press(k))
		}
		if view := viewOf(slotOf(t, "Pods"), size{80, 5}, msgs...); !strings.Contains(view, c.shows) {
			t.Errorf("after %s: %q is not in\n%s", c.keys, c.shows, view)
		}
	}
}

func TestKeys_GoBackAndCloseTheHelp(t *testing.T) {
	m := screen(plainStyles(), press("shift+tab"))
	all := slots()
	if last := titleOf(all[len(all)-1]); !strings.Contains(m.View(), "▶ "+last) {
		t.Errorf("shift+tab does not go back:\n%s", m.View())
	}
	if m = after(m, press("?"), press("esc")); strings.Contains(m.View(), "q   quit") {
		t.Errorf("esc does not close the help:\n%s", m.View())
	}
}

func TestScroll_FollowsTheRow(t *testing.T) {
	msgs := []tea.Msg{arrives(crowd())}
	for range 6 {
		msgs = append(msgs, press("down"))
	}
	m := alone(slotOf(t, "Pods"), size{80, 5}, msgs...)
	top := func(m Model) string { return strings.Fields(strings.Split(m.canvas.views[0], "\n")[2])[0] }
	later := crowd()
	later.At = noon.Add(time.Second)
	for i := range 3 {
		// A pod that is not ready goes to the top of the list.
		later.Pods[i].Ready = false
	}
	if before, now := top(m), top(after(m, arrives(later))); now != before {
		t.Errorf("at the top was %s and is %s, without a key", before, now)
	}
}

func TestScroll_AtTheTopStaysAtTheTop(t *testing.T) {
	m := alone(slotOf(t, "Pods"), size{80, 5}, arrives(crowd()))
	later := crowd()
	later.At, later.Pods[0].Ready = noon.Add(time.Second), false
	if view := after(m, arrives(later)).canvas.views[0]; !strings.Contains(view, fmt.Sprintf("%s ", later.Pods[0].Name)) {
		t.Errorf("the pod that fails is not visible in\n%s", view)
	}
}
