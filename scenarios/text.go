package scenarios

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
)

// WriteText writes the report for people: plain text that needs no colour to be understood.
func (r Report) WriteText(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s  seed %d  %.1f s\n", r.Scenario, strings.ToUpper(string(r.Result)), r.Seed, r.Seconds)
	if r.Message != "" {
		fmt.Fprintf(&b, "%s\n", r.Message)
	}
	for _, section := range []func(*strings.Builder){r.textSteps, r.textTimeline, r.textExpectations, r.textLoad, r.textRecovery, r.textCleanup} {
		section(&b)
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	return nil
}

// table aligns rows under a title; without rows there is no title either.
func table(b *strings.Builder, title string, rows [][]string) {
	if len(rows) == 0 {
		return
	}
	fmt.Fprintf(b, "\n%s\n", title)
	var aligned strings.Builder
	t := tabwriter.NewWriter(&aligned, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		fmt.Fprintf(t, "  %s\n", strings.Join(row, "\t"))
	}
	t.Flush()
	for line := range strings.Lines(aligned.String()) {
		b.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
}

func (r Report) textSteps(b *strings.Builder) {
	var rows [][]string
	for _, s := range r.Steps {
		touch := ""
		if s.Touches.Pods > 0 {
			touch = fmt.Sprintf("%d of %d pods, ", s.Touches.Pods, s.Touches.OfPods)
		}
		if s.Touches.Share > 0 {
			touch += "up to " + decimal(cut(s.Touches.Share.percent())) + " % of calls"
		}
		rows = append(rows, []string{s.Result, s.Name, s.Detail, strings.TrimSuffix(touch, ", ")})
	}
	table(b, "steps", rows)
}

func (r Report) textTimeline(b *strings.Builder) {
	var rows [][]string
	for _, m := range r.Timeline {
		rows = append(rows, []string{fmt.Sprintf("%+.1fs", m.Seconds), m.Kind, m.Subject, m.Detail})
	}
	table(b, "timeline", rows)
}

func (r Report) textExpectations(b *strings.Builder) {
	var rows [][]string
	for _, f := range r.Expectations {
		mark := "✗ not held"
		if f.Held() {
			mark = "✓ held"
		}
		rows = append(rows, []string{mark, f.Phase, f.Name, f.observed(), f.limit(), f.Note})
	}
	if len(rows) > 0 {
		rows = append([][]string{{"", "phase", "expectation", "observed", "limit", ""}}, rows...)
	}
	table(b, "expectations", rows)
}

func (f Finding) observed() string { return withUnit(f.Observed, f.Unit) }

var comparisons = map[string]string{">=": "≥ ", "<=": "≤ ", "=": "", "visits": "visits "}

func (f Finding) limit() string { return comparisons[f.Comparison] + withUnit(f.Limit, f.Unit) }

// longTrace is how many states of a trace are shown; the JSON report has them all.
const longTrace = 8

func withUnit(v Value, unit string) string {
	if v.Text == "" {
		return v.String() + " " + unit
	}
	states := strings.Split(v.Text, " → ")
	if len(states) <= longTrace {
		return v.Text
	}
	shown := slices.Concat(states[:longTrace/2], []string{fmt.Sprintf("… (%d more)", len(states)-longTrace)}, states[len(states)-longTrace/2:])
	return strings.Join(shown, " → ")
}

func (r Report) textLoad(b *strings.Builder) {
	var rows [][]string
	for _, l := range r.Load {
		row := []string{l.Name, fmt.Sprint(l.Intended), fmt.Sprint(l.Sent), fmt.Sprint(l.OK)}
		for _, ms := range []float64{l.Latency.P50, l.Latency.P90, l.Latency.P99, l.Latency.P999, l.Latency.Max} {
			row = append(row, fmt.Sprintf("%.1f", ms))
		}
		var codes []string
		for _, code := range slices.Sorted(maps.Keys(l.Errors)) {
			codes = append(codes, fmt.Sprintf("%s %d", code, l.Errors[code]))
		}
		if len(codes) == 0 {
			codes = []string{"none"}
		}
		rows = append(rows, append(row, strings.Join(codes, ", ")))
	}
	if len(rows) > 0 {
		rows = append([][]string{{"", "intended", "sent", "ok", "p50", "p90", "p99", "p99.9", "max", "errors"}}, rows...)
	}
	table(b, "load (latency in ms, from the intended start)", rows)
}

func (r Report) textRecovery(b *strings.Builder) {
	var rows [][]string
	for _, part := range []struct {
		name string
		s    *float64
	}{
		{"a breaker opened after the first fault by", r.Recovery.DetectSeconds},
		{"it was open for", r.Recovery.OpenSeconds},
		{"it was half-open for", r.Recovery.HalfOpenSeconds},
		{"everything held again after", r.Recovery.RecoverSeconds},
	} {
		if part.s != nil {
			rows = append(rows, []string{part.name, decimal(*part.s) + " s"})
		}
	}
	table(b, "recovery", rows)
}

func (r Report) textCleanup(b *strings.Builder) {
	rows := [][]string{{"nothing was left behind"}}
	if r.Result == Planned {
		return
	}
	if len(r.Cleanup.Residue) > 0 {
		rows = nil
		for _, left := range r.Cleanup.Residue {
			rows = append(rows, []string{"left behind: " + left})
		}
	}
	for _, alone := range r.Cleanup.LeftAlone {
		rows = append(rows, []string{alone})
	}
	table(b, "clean-up", rows)
}
