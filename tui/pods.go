package tui

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	"github.com/charmbracelet/bubbles/key"
	tea "github.com/charmbracelet/bubbletea"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
)

type podsModel struct{ frame }

func newPods(s Styles) panel {
	return podsModel{newFrame("Pods", "the list of pods", s)}
}

func (m podsModel) Update(msg tea.Msg) panel {
	m.frame = m.update(msg)
	m.frame = m.clamped(m.content())
	return m
}

func (m podsModel) SetSize(width, height int) panel {
	m.frame = m.resized(width, height)
	m.frame = m.clamped(m.content())
	return m
}

func (m podsModel) Keys() []key.Binding { return []key.Binding{m.keys.Up} }

func (m podsModel) View() string { return m.view(m.content()) }

func (m podsModel) content() content {
	pods := slices.SortedFunc(slices.Values(m.scene.snap.Pods), unreadyFirst)
	columns := []column{
		{title: "POD", share: 3, fit: fitEnds},
		{title: "STATE", share: 1, fit: fit},
		{title: "RESTARTS", width: 8, fit: fitRight},
		{title: "AGE", width: 6, fit: fitRight},
	}
	rows := make([][]cell, 0, len(pods))
	readyPods := 0
	for _, p := range pods {
		state := cell{"○ " + cmp.Or(clean(p.Phase), "not ready"), m.styles.Bad}
		switch {
		case p.Ready:
			readyPods++
			state = cell{"● ready", m.styles.Good}
		case p.Phase == "Running":
			state.text = "○ not ready" // its containers run, its readiness probe says no
		}
		restarts := cell{strconv.Itoa(int(p.Restarts)), m.styles.Plain}
		if p.Restarts > 0 {
			restarts.style = m.styles.Warn
		}
		rows = append(rows, []cell{
			{clean(p.Name), m.styles.Plain}, state, restarts, {since(m.scene.now, p.Started), m.styles.Plain},
		})
	}
	head, lines := grid(columns, rows, m.width)
	c := content{fixed: []string{m.styles.Faint.Render(head)}, lines: lines,
		empty: "No pods. Put the platform into the cluster with: sandbox up"}
	if len(pods) > 0 {
		c.badge = fmt.Sprintf("%d of %d ready", readyPods, len(pods))
	}
	return c
}

func unreadyFirst(a, b telemetry.Pod) int {
	if a.Ready != b.Ready {
		if b.Ready {
			return -1
		}
		return 1
	}
	return cmp.Compare(a.Name, b.Name)
}
