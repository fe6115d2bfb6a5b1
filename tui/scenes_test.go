package tui

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/lipgloss"
	"github.com/muesli/termenv"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func plainStyles() Styles { return stylesIn(termenv.Ascii) }

func stylesIn(p termenv.Profile) Styles {
	r := lipgloss.NewRenderer(io.Discard)
	r.SetColorProfile(p)
	return NewStyles(r)
}

// screen returns a new screen after messages.
func screen(styles Styles, msgs ...tea.Msg) Model {
	m := newModel(Options{Refresh: 500 * time.Millisecond, Name: "demo"}, noEffects(), styles, sourceNames(), noon)
	return after(m, msgs...)
}

// after returns m after messages.
func after(m Model, msgs ...tea.Msg) Model {
	for _, msg := range msgs {
		if all, ok := msg.(answers); ok {
			for _, a := range all {
				m = after(m, a)
			}
			continue
		}
		next, _ := m.Update(msg)
		m = next.(Model)
	}
	return m
}

// snapshot is the data of all sources at one time.
type snapshot struct {
	At       time.Time
	Edges    []telemetry.Edge
	Breakers []telemetry.Breaker
	Pods     []telemetry.Pod
	Run      *telemetry.Run
}

// feed returns a feed whose sources return the data of s.
func (s snapshot) feed() telemetry.Feed {
	return telemetry.Feed{
		telemetry.Prometheus.Reader(func(context.Context) ([]telemetry.Edge, error) { return s.Edges, nil }),
		telemetry.ControlPlane.Reader(func(context.Context) ([]telemetry.Breaker, error) { return s.Breakers, nil }),
		telemetry.Cluster.Reader(func(context.Context) ([]telemetry.Pod, error) { return s.Pods, nil }),
		telemetry.Scenario.Reader(func(context.Context) (*telemetry.Run, error) { return s.Run, nil }),
	}
}

// feedOf returns a feed whose sources return their part of what f returns.
func feedOf(f func(ctx context.Context, source string) (snapshot, error)) (feed telemetry.Feed) {
	for i, name := range sourceNames() {
		feed = append(feed, telemetry.Reader{Source: name, Read: func(ctx context.Context) (any, error) {
			s, err := f(ctx, name)
			if err != nil {
				return nil, err
			}
			return s.feed()[i].Read(ctx)
		}})
	}
	return feed
}

func sourceNames() (names []string) {
	for _, r := range (snapshot{}).feed() {
		names = append(names, r.Source)
	}
	return names
}

// answers are readings of all sources at one time.
type answers []readMsg

// of returns the reading of a source.
func (all answers) of(source string) readMsg {
	return all[slices.IndexFunc(all, func(a readMsg) bool { return a.Source == source })]
}

func arrives(s snapshot) answers { return arrivesIn(0, s) }

func arrivesIn(round int, s snapshot) (all answers) {
	for _, source := range s.feed() {
		r := read(context.Background(), source, func() time.Time { return s.At })
		all = append(all, readMsg{Reading: r, round: round, done: s.At})
	}
	return all
}

func fails(at time.Time, reason string) (all answers) {
	sources := sourceNames()
	for _, s := range slots() {
		if !slices.Contains(sources, s.source) {
			// The source is only in the test of its panel.
			sources = append(sources, s.source)
		}
	}
	for _, source := range sources {
		all = append(all, failsAlone(source, at, reason))
	}
	return all
}

func failsAlone(source string, at time.Time, reason string) readMsg {
	return readMsg{Reading: telemetry.Reading{Source: source, At: at, Err: errors.New(reason)}, done: at}
}

// alive returns readings of all sources some time after s, in which one source fails.
func alive(s snapshot, without string, after time.Duration) answers {
	s.At = s.At.Add(after)
	all := arrives(s)
	for i, a := range all {
		if a.Source == without {
			all[i] = failsAlone(without, s.At, refused)
		}
	}
	return all
}

func press(k string) tea.KeyMsg {
	switch k {
	case "tab":
		return tea.KeyMsg{Type: tea.KeyTab}
	case "shift+tab":
		return tea.KeyMsg{Type: tea.KeyShiftTab}
	case "esc":
		return tea.KeyMsg{Type: tea.KeyEsc}
	case "up":
		return tea.KeyMsg{Type: tea.KeyUp}
	case "down":
		return tea.KeyMsg{Type: tea.KeyDown}
	case "pgup":
		return tea.KeyMsg{Type: tea.KeyPgUp}
	case "pgdown":
		return tea.KeyMsg{Type: tea.KeyPgDown}
	case "home":
		return tea.KeyMsg{Type: tea.KeyHome}
	case "end":
		return tea.KeyMsg{Type: tea.KeyEnd}
	case "ctrl+c":
		return tea.KeyMsg{Type: tea.KeyCtrlC}
	}
	return tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune(k)}
}

func calm() snapshot {
	ms := time.Millisecond
	s := snapshot{At: noon, Edges: []telemetry.Edge{
		{Caller: "loadgen", Callee: "orderservice", Method: "order.v1.OrderService/PlaceOrder", Rate: 49.8, P50: 14 * ms, P99: 61 * ms},
		{Caller: "loadgen", Callee: "userservice", Method: "user.v1.UserService/GetUser", Rate: 200.2, P50: 2100 * time.Microsecond, P99: 9 * ms},
		{Caller: "orderservice", Callee: "inventoryservice", Method: "inventory.v1.InventoryService/Reserve", Rate: 49.7, Errors: 0.0004, P50: 3 * ms, P99: 12 * ms},
		{Caller: "orderservice", Callee: "paymentservice", Method: "payment.v1.PaymentService/Charge", Rate: 49.7, P50: 6 * ms, P99: 31 * ms},
	}}
	for _, e := range s.Edges {
		s.Breakers = append(s.Breakers, telemetry.Breaker{Caller: e.Caller, Callee: e.Callee, Method: e.Method,
			State: telemetry.Closed, Since: noon.Add(-11 * time.Minute)})
	}
	for i, release := range []string{"userservice", "userservice", "userservice", "orderservice", "inventoryservice", "paymentservice", "postgres", "loadgen"} {
		s.Pods = append(s.Pods, telemetry.Pod{Name: fmt.Sprintf("%s-6c9d7b5f4-x%dk2p", release, i), Release: release,
			Phase: "Running", Ready: true, Started: noon.Add(-11 * time.Minute)})
	}
	return s
}

// rising is calm at several times, with rising rates, so that there is a history to draw.
func rising() []tea.Msg {
	var msgs []tea.Msg
	for i := range 12 {
		s := calm()
		s.At = noon.Add(time.Duration(i-11) * time.Second)
		for j := range s.Edges {
			s.Edges[j].Rate *= float64(i+1) / 12
		}
		msgs = append(msgs, arrives(s))
	}
	return msgs
}

func tripped() snapshot {
	s := calm()
	s.Edges[3].Errors, s.Edges[3].Refused, s.Edges[3].P99 = 0.02, 0.6, 2*time.Second
	s.Breakers[3].State, s.Breakers[3].Since, s.Breakers[3].Reason = telemetry.Open, noon.Add(-4*time.Second), "62% of 50 calls failed in 1s"
	s.Breakers[2].State, s.Breakers[2].Since, s.Breakers[2].Reason = telemetry.HalfOpen, noon.Add(-time.Second), "probing after 5s"
	s.Pods[5].Ready, s.Pods[5].Phase, s.Pods[5].Restarts = false, "CrashLoopBackOff", 3
	at := func(seconds float64) time.Time { return noon.Add(time.Duration((seconds - 12) * float64(time.Second))) }
	s.Run = &telemetry.Run{Scenario: "breaker-trip", Phase: "steps", Started: at(0), Timeline: []telemetry.Event{
		{Seq: 1, At: at(0), Kind: "phase", Subject: "plan", Detail: "1 of 1 paymentservice pods, 25% of traffic"},
		{Seq: 2, At: at(0.4), Kind: "phase", Subject: "steady", Detail: "availability 100% of browse"},
		{Seq: 3, At: at(5.4), Kind: "step", Subject: "fail payments", Detail: "60% UNAVAILABLE for 10s"},
		{Seq: 4, At: at(8), Kind: "breaker", Subject: "orderservice → paymentservice", Detail: "closed → open"},
		{Seq: 5, At: at(11), Kind: "breaker", Subject: "orderservice → inventoryservice", Detail: "open → half-open"},
	}}
	return s
}

func endless() snapshot {
	s := tripped()
	long := strings.Repeat("very-long-", 12)
	for i := range s.Edges {
		s.Edges[i].Caller, s.Edges[i].Method = long+s.Edges[i].Caller, "pkg.v1.Service/"+long+"Method"
		s.Edges[i].Rate, s.Edges[i].P99 = 12_345_678, 3*time.Hour
	}
	for i := range s.Breakers {
		s.Breakers[i].Callee, s.Breakers[i].Reason = long, "漢字とemoji 🎉\n\x1b[31m"+long
		s.Breakers[i].Since = noon.Add(-1000 * time.Hour)
	}
	for i := range s.Pods {
		s.Pods[i].Name, s.Pods[i].Restarts = long+s.Pods[i].Name, 1_234_567
	}
	s.Run.Scenario = long
	for i := range s.Run.Timeline {
		s.Run.Timeline[i].Subject, s.Run.Timeline[i].Detail = long, long
	}
	return s
}

func crowd() snapshot {
	s := calm()
	s.Pods = nil
	for i := range 50 {
		s.Pods = append(s.Pods, telemetry.Pod{Name: fmt.Sprintf("userservice-6c9d7b5f4-%05d", i), Phase: "Running",
			Ready: i%10 != 7, Restarts: int32(i % 3), Started: noon.Add(-time.Duration(i) * time.Minute)})
	}
	return s
}
