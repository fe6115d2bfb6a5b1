package tui

import (
	"cmp"
	"fmt"
	"strconv"

	"github.com/charmbracelet/bubbles/key"
	tea "github.com/charmbracelet/bubbletea"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
)

// podsModel lists the pods, those that are not ready first.
type podsModel struct {
	frame
	// pods are in the order of the lines.
	pods []telemetry.Pod
}

func newPods(s Styles) panel {
	return podsModel{frame: newFrame("Pods", "the list of pods", s)}
}

func (m podsModel) Update(msg tea.Msg) (panel, tea.Cmd) {
	m.frame = m.update(msg)
	if data, ok := msg.(dataMsg); ok {
		top := m.top(m.content())
		pods, _ := telemetry.Cluster.Data(data.Reading)
		m.pods = sorted(pods, unreadyFirst)
		m.frame = m.follow(top, m.content())
		return m, nil
	}
	m.frame = m.clamped(m.content())
	return m, nil
}

func (m podsModel) SetSize(width, height int) panel {
	m.frame = m.resized(width, height)
	m.frame = m.clamped(m.content())
	return m
}

func (m podsModel) Keys() []key.Binding { return []key.Binding{m.keys.Up} }

func (m podsModel) View() string { return m.view(m.content()) }

func (m podsModel) content() content {
	columns := []column{
		{title: "POD", share: 3, fit: fitEnds},
		{title: "STATE", share: 1, fit: fit},
		{title: "RESTARTS", width: 8, fit: fitRight},
		{title: "AGE", width: 6, fit: fitRight},
	}
	g := newGrid(columns, m.width)
	c := content{
		fixed: []string{m.styles.Faint.Render(g.head())}, count: len(m.pods),
		line:  func(i int) string { return g.line(m.row(m.pods[i])) },
		id:    func(i int) string { return m.pods[i].Name },
		empty: "No pods. Install the platform in the cluster with: ", remedy: remedy.Command("up"),
	}
	if len(m.pods) > 0 {
		readyPods := 0
		for _, p := range m.pods {
			if p.Ready {
				readyPods++
			}
		}
		c.badge = fmt.Sprintf("%d of %d ready", readyPods, len(m.pods))
	}
	return c
}

func (m podsModel) row(p telemetry.Pod) []cell {
	state := cell{"○ " + cmp.Or(clean(p.Phase), "not ready"), m.styles.Bad}
	switch {
	case p.Ready:
		state = cell{"● ready", m.styles.Good}
	case p.Phase == "Running":
		// The containers run, but the readiness probe fails.
		state.text = "○ not ready"
	}
	restarts := cell{strconv.Itoa(int(p.Restarts)), m.styles.Plain}
	if p.Restarts > 0 {
		restarts.style = m.styles.Warn
	}
	return []cell{{clean(p.Name), m.styles.Plain}, state, restarts, {since(m.asOf(), p.Started), m.styles.Plain}}
}

// unreadyFirst orders pods by readiness and name.
func unreadyFirst(a, b telemetry.Pod) int {
	if a.Ready != b.Ready {
		if b.Ready {
			return -1
		}
		return 1
	}
	return cmp.Compare(a.Name, b.Name)
}
