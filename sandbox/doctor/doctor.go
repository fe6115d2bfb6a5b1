// Package doctor checks whether a machine and a sandbox are fit: checks as data, each with its remedy.
package doctor

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// Outcome is what a check found.
type Outcome string

// The outcomes. Warn is a defect that the sandbox works in spite of; Skip says nothing about fitness.
const (
	Pass Outcome = "pass"
	Warn Outcome = "warn"
	Fail Outcome = "fail"
	Skip Outcome = "skip"
)

// Result is a check's finding. Fix is never empty beside Fail and Warn: a command, a flag or a value.
type Result struct {
	Outcome Outcome
	Message string
	Fix     string
}

// Check is one question about the machine or the sandbox.
type Check struct {
	ID       string // stable, in kebab case
	Category string
	About    string // what is asked, and why
	Run      func(ctx context.Context, w World) Result
}

// Report is a check's finding as machines read it; its field names are a contract.
type Report struct {
	ID       string  `json:"id"`
	Category string  `json:"category"`
	Result   Outcome `json:"result"`
	Message  string  `json:"message"`
	Fix      string  `json:"fix"`
}

// Document is the output of sandbox doctor -o json.
type Document struct {
	Checks []Report `json:"checks"`
}

// patience bounds one check, so that one dead address does not hold up the others.
const patience = 15 * time.Second

// longer are the checks that patience would cut off while they work.
var longer = map[string]time.Duration{"cache-intact": 2 * time.Minute} // it reads more than a gigabyte, perhaps from a slow disk

func (c Check) patience() time.Duration {
	if d, ok := longer[c.ID]; ok {
		return d
	}
	return patience
}

// Run runs All in their order, and tells observer, which may be nil, of each as it ends. After ctx has ended the rest is
// skipped.
func Run(ctx context.Context, w World, observer func(Report)) []Report {
	return run(ctx, All(), w, observer)
}

func run(ctx context.Context, checks []Check, w World, observer func(Report)) []Report {
	w.Reach = remembered(w.Reach) // several checks ask the same, and who does not answer takes long
	reports := make([]Report, 0, len(checks))
	for _, c := range checks {
		res := skip("interrupted")
		if ctx.Err() == nil {
			res = c.attempt(ctx, w)
		}
		message, _, _ := strings.Cut(res.Message, "\ntry: ") // an error's own remedy; the check has one, for the sandbox that is meant
		r := Report{c.ID, c.Category, res.Outcome, strings.ReplaceAll(message, "\n", "; "), res.Fix}
		reports = append(reports, r)
		if observer != nil {
			observer(r)
		}
	}
	return reports
}

// attempt runs one check. A check that panics has failed; the others still run.
func (c Check) attempt(ctx context.Context, w World) (res Result) {
	ctx, cancel := context.WithTimeout(ctx, c.patience())
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			res = fail("report this as a bug of sandbox", "the check itself broke: %v", p)
		}
	}()
	return c.Run(ctx, w)
}

// remembered asks each address once.
func remembered(reach func(context.Context, string) error) func(context.Context, string) error {
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

func warn(fix, format string, args ...any) Result {
	return Result{Warn, fmt.Sprintf(format, args...), fix}
}

func fail(fix, format string, args ...any) Result {
	return Result{Fail, fmt.Sprintf(format, args...), fix}
}
