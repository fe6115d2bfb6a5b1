// Package doctor checks whether a machine and a sandbox are in working order. Checks are data, and every failure has a remedy.
package doctor

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
)

// Outcome is what a check found.
type Outcome string

// The outcomes. Warn is a defect that the sandbox tolerates. Skip makes no statement.
const (
	Pass Outcome = "pass"
	Warn Outcome = "warn"
	Fail Outcome = "fail"
	Skip Outcome = "skip"
)

// Result is the outcome of a check. Fix is never zero with Fail and Warn.
type Result struct {
	Outcome Outcome
	// Message says what was found. Fix says what to do about it; it may be zero with Pass and Skip.
	Message string
	Fix     remedy.Remedy
}

// Check is one question about the machine or the sandbox.
type Check struct {
	// ID is stable and in kebab case.
	ID string
	// Category is the heading under which the check is shown.
	Category string
	// Run makes the check. If it panics, the check fails.
	Run func(ctx context.Context, w Host) Result
	// Limit is how long the check may take. 0 means checkTimeout.
	Limit time.Duration
}

// Finding is the result of the check with an ID. Its message is one line.
type Finding struct {
	// ID and Category are those of the check.
	ID       string
	Category string
	Result
}

// Report is a Finding as machines read it; its field names are a contract.
type Report struct {
	// ID and Category are those of the check. Fix is the text of the remedy; empty if there is none.
	ID       string  `json:"id"`
	Category string  `json:"category"`
	Result   Outcome `json:"result"`
	Message  string  `json:"message"`
	Fix      string  `json:"fix"`
}

// Document is the output of sandbox doctor -o json.
type Document struct {
	// Checks are in the order in which they ran. It is never null.
	Checks []Report `json:"checks"`
}

// NewDocument returns the findings as a document. The function renders a command of this program, as remedy.Remedy.Text takes it.
func NewDocument(findings []Finding, command func(args []string) string) Document {
	doc := Document{Checks: make([]Report, 0, len(findings))}
	for _, f := range findings {
		doc.Checks = append(doc.Checks, Report{f.ID, f.Category, f.Outcome, f.Message, f.Fix.Text(command)})
	}
	return doc
}

// checkTimeout is the timeout of a check, so that one dead address does not delay the others.
const checkTimeout = 15 * time.Second

// Run runs All in order. The observer, which may be nil, receives each finding as soon as its check returns. When ctx is done, the remaining checks
// are skipped.
func Run(ctx context.Context, w Host, observer func(Finding)) []Finding {
	return run(ctx, All(), w, observer)
}

func run(ctx context.Context, checks []Check, w Host, observer func(Finding)) []Finding {
	// Several checks try the same addresses, and one that does not answer takes long.
	w.Reach = memoized(w.Reach)
	findings := make([]Finding, 0, len(checks))
	for _, c := range checks {
		res := skip("interrupted")
		if ctx.Err() == nil {
			res = c.attempt(ctx, w)
		}
		res.Message = strings.ReplaceAll(res.Message, "\n", "; ")
		f := Finding{c.ID, c.Category, res}
		findings = append(findings, f)
		if observer != nil {
			observer(f)
		}
	}
	return findings
}

// attempt runs one check. A check that panics fails, and the others still run.
func (c Check) attempt(ctx context.Context, w Host) (res Result) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(c.Limit, checkTimeout))
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			res = fail(remedy.Advice("report this as a bug of sandbox"), "the check panicked: %v", p)
		}
	}()
	return c.Run(ctx, w)
}

// memoized calls reach once for each address.
func memoized(reach func(context.Context, string) error) func(context.Context, string) error {
	answers := map[string]error{}
	return func(ctx context.Context, url string) error {
		err, asked := answers[url]
		if !asked {
			err = reach(ctx, url)
			answers[url] = err
		}
		return err
	}
}

func pass(format string, args ...any) Result {
	return Result{Outcome: Pass, Message: fmt.Sprintf(format, args...)}
}

func skip(format string, args ...any) Result {
	return Result{Outcome: Skip, Message: fmt.Sprintf(format, args...)}
}

// skipUntil skips a check that becomes possible when the remedy has been carried out.
func skipUntil(fix remedy.Remedy, format string, args ...any) Result {
	return Result{Skip, fmt.Sprintf(format, args...), fix}
}

func warn(fix remedy.Remedy, format string, args ...any) Result {
	return Result{Warn, fmt.Sprintf(format, args...), fix}
}

func fail(fix remedy.Remedy, format string, args ...any) Result {
	return Result{Fail, fmt.Sprintf(format, args...), fix}
}
