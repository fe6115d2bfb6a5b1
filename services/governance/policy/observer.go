package policy

import (
	"log/slog"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
)

// Observer learns what happens to a policy. Its methods are called one at a time.
type Observer interface {
	// Applied is called when a version is in force.
	Applied(version string)
	// Kept is called when a new policy cannot be used, so that the last good one stays in force.
	Kept(why string)
	// Unmatched is called with the patterns that match nothing, each as "field: pattern", whenever they were looked for. They are not an error,
	// because one policy may be used by several programs.
	Unmatched(patterns []string)
}

// Logged returns an observer that writes log records.
func Logged(log *slog.Logger) Observer { return logged{log} }

type logged struct{ log *slog.Logger }

// Applied logs the version in force.
func (l logged) Applied(version string) { l.log.Info("policy in force", "version", version) }

// Kept logs why the last good policy stays in force.
func (l logged) Kept(why string) { l.log.Error("keeping the last good policy", "error", why) }

// Unmatched logs patterns that match nothing.
func (l logged) Unmatched(patterns []string) {
	for _, p := range patterns {
		l.log.Warn("a pattern of the policy matches nothing that this process serves or calls", "pattern", p)
	}
}

// Observe reports to an observer from now on, whether a file or a control plane changes the policy. There is one observer at a time.
func (p *Policy) Observe(o Observer) {
	p.changing.Lock()
	defer p.changing.Unlock()
	p.observer = o
}

func (p *Policy) observeIfNone(o Observer) {
	p.changing.Lock()
	defer p.changing.Unlock()
	if p.observer == nil {
		p.observer = o
	}
}

// Know looks for patterns that match nothing that is known, in the policy in force and in each later one.
func (p *Policy) Know(known Known) {
	p.changing.Lock()
	defer p.changing.Unlock()
	p.known = &known
	p.reportUnmatched()
}

// Known returns what Know was called with last.
func (p *Policy) Known() Known {
	p.changing.Lock()
	defer p.changing.Unlock()
	if p.known == nil {
		return Known{}
	}
	return *p.known
}

func (p *Policy) reportUnmatched() {
	if p.observer != nil && p.known != nil {
		p.observer.Unmatched(p.layers.unmatched(*p.known))
	}
}

// keep reports that a new policy cannot be used.
func (p *Policy) keep(err error) {
	p.changing.Lock()
	defer p.changing.Unlock()
	if p.observer != nil {
		p.observer.Kept(remedy.Line(err, nil))
	}
}
