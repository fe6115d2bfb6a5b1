package report

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"unicode/utf8"

	"github.com/grpc-sandbox/sandbox/scenarios/internal/text"
)

// WriteText writes the report for people: plain text that needs no colour to be understood, in at most 80 columns. It omits the
// timeline, which is printed while the scenario runs.
func (r Report) WriteText(w io.Writer) error {
	var b strings.Builder
	b.WriteString(text.Wrap("", cmp.Or(r.Summary, r.Summarize())))
	for line := range strings.Lines(r.Message) {
		b.WriteString(text.Wrap("", line))
	}
	fmt.Fprintf(&b, "\n%s  seed %d  %.1f s\n", r.Scenario, r.Seed, r.Seconds)
	for _, section := range []func(*strings.Builder){r.textSteps, r.textExpectations, r.textLoad, r.textRecovery, r.textCleanup} {
		section(&b)
	}
	if _, err := io.WriteString(w, text.Printable(b.String())); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	return nil
}

// table writes rows in aligned columns under a title. Without rows it writes nothing.
func table(b *strings.Builder, title string, rows [][]string) {
	if len(rows) == 0 {
		return
	}
	fmt.Fprintf(b, "\n%s\n", title)
	align(b, rows)
}

func align(b *strings.Builder, rows [][]string) {
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
	if len(r.Steps) > 0 {
		b.WriteString("\nsteps\n")
	}
	for _, s := range r.Steps {
		b.WriteString(text.Wrap(fmt.Sprintf("  %-11s  ", s.Result), s.Name))
		const under = "               "
		if s.Detail != "" {
			b.WriteString(text.Wrap(under, s.Detail))
		}
		touch := ""
		if s.Touches.Pods > 0 {
			touch = fmt.Sprintf("%d of %d pods, ", s.Touches.Pods, s.Touches.OfPods)
		}
		if s.Touches.Share > 0 {
			touch += "up to " + text.Decimal(text.RoundDown(s.Touches.Share.Percent())) + " % of calls"
		}
		if touch != "" {
			b.WriteString(text.Wrap(under, "touches "+strings.TrimSuffix(touch, ", ")))
		}
	}
}

// marks has the results of expectations as people read them.
var marks = map[string]string{Met: "✓ held", NotMet: "✗ not held", NotJudged: "– not judged"}

func (r Report) textExpectations(b *strings.Builder) {
	if len(r.Expectations) > 0 {
		b.WriteString("\nexpectations\n")
	}
	for _, f := range r.Expectations {
		first := fmt.Sprintf("  %-12s  %-7s  ", marks[f.Result], f.Phase)
		b.WriteString(text.Wrap(first, f.caseName()))
		under := strings.Repeat(" ", utf8.RuneCountInString(first))
		if f.Result != NotJudged {
			b.WriteString(text.Wrap(under, "observed "+f.ObservedText()+f.after()))
		}
		if f.Note != "" {
			b.WriteString(text.Wrap(under, f.Note))
		}
	}
}

// after says how long a step has waited until its condition was true.
func (f Finding) after() string {
	if f.Phase != "steps" || !f.Met() {
		return ""
	}
	return fmt.Sprintf(", after %.1f s", f.Seconds)
}

func (r Report) textLoad(b *strings.Builder) {
	for _, l := range r.Load {
		fmt.Fprintf(b, "\nload %s\n", l.Name)
		b.WriteString(text.Wrap("  ", fmt.Sprintf("%d arrivals, %d sent, %d answered, %d failed", l.Intended, l.Sent, l.OK, l.Failed)))
		if l.NeverLeft > 0 {
			b.WriteString(text.Wrap("  ", fmt.Sprintf("%d never left: too many calls were in flight", l.NeverLeft)))
		}
		if codes := l.calleeErrors(); len(codes) > 0 {
			b.WriteString(text.Wrap("  failed on the way or at the callee: ", listed(codes)))
		}
		if len(l.Refused) > 0 {
			b.WriteString(text.Wrap("  refused by the caller itself: ", listed(l.Refused)))
		}
		rows := [][]string{{"latency in ms", "p50", "p90", "p99", "p99.9", "max"}}
		for _, part := range []struct {
			name string
			ms   Latencies
		}{{"answered calls", l.Latency}, {"failed calls", l.FailedLatency}} {
			if part.ms == (Latencies{}) {
				continue
			}
			row := []string{part.name}
			for _, ms := range []float64{part.ms.P50, part.ms.P90, part.ms.P99, part.ms.P999, part.ms.Max} {
				row = append(row, fmt.Sprintf("%.1f", ms))
			}
			rows = append(rows, row)
		}
		if len(rows) > 1 {
			align(b, rows)
		}
	}
}

// refusalCodes maps the reason why a caller refuses its own call to the gRPC code of that call.
var refusalCodes = map[string]string{"BREAKER_OPEN": "UNAVAILABLE", "TOO_MANY_CALLS": "RESOURCE_EXHAUSTED"}

// calleeErrors counts the failed calls that left the caller, by code.
func (l Load) calleeErrors() map[string]int64 {
	out := map[string]int64{}
	for code, n := range l.Errors {
		out[code] = n
	}
	for reason, n := range l.Refused {
		out[refusalCodes[reason]] -= n
	}
	return positive(out)
}

func positive(counts map[string]int64) map[string]int64 {
	maps.DeleteFunc(counts, func(_ string, n int64) bool { return n <= 0 })
	return counts
}

func listed(counts map[string]int64) string {
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%s %d", key, counts[key]))
	}
	return strings.Join(parts, ", ")
}

func (r Report) textRecovery(b *strings.Builder) {
	var rows [][]string
	for _, part := range []struct {
		name string
		s    *float64
	}{
		{"first failed call", r.Recovery.FirstFailedSeconds},
		{"breaker opened", r.Recovery.DetectSeconds},
		{"breaker half-open", r.Recovery.HalfOpenedSeconds},
		{"breaker closed for good", r.Recovery.ClosedSeconds},
		{"last failed call", r.Recovery.LastFailedSeconds},
	} {
		if part.s != nil {
			rows = append(rows, []string{part.name, fmt.Sprintf("%.3f s", *part.s)})
		}
	}
	table(b, "after the first fault", rows)
	rows = nil
	for _, part := range []struct {
		name string
		s    *float64
	}{
		{"longest outage", r.Recovery.LongestOutageSeconds},
		{"breaker open", r.Recovery.OpenSeconds},
		{"breaker half-open", r.Recovery.HalfOpenSeconds},
		{"from the last heal, or else the first fault, until everything held", r.Recovery.RecoverSeconds},
	} {
		if part.s != nil {
			rows = append(rows, []string{part.name, fmt.Sprintf("%.3f s", *part.s)})
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
		b.WriteString("\nclean-up\n")
		for _, left := range r.Cleanup.Residue {
			b.WriteString(text.Wrap("  left behind: ", left))
		}
		return
	}
	for _, alone := range r.Cleanup.LeftAlone {
		rows = append(rows, []string{alone})
	}
	table(b, "clean-up", rows)
}
