package governance

import (
	"fmt"
	"sync/atomic"

	"google.golang.org/protobuf/proto"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// Policy is what a process enforces. It is replaced atomically and as a whole; what was measured and counted (windows of breakers, tokens of
// limiters, calls in flight) is kept. The zero value has the defaults.
type Policy struct {
	current atomic.Pointer[compiled]
	changed notifier
	exempt  []string
}

// NewPolicy returns a policy in force; nil means the defaults.
func NewPolicy(p *policyv1.EffectivePolicy) (*Policy, error) {
	policy := &Policy{}
	if err := policy.Set(p); err != nil {
		return nil, err
	}
	return policy, nil
}

// Exempt names methods, by pattern, to which no policy applies: those that control the process itself. Health is always exempt, and
// reflection from everything except lists of callers. Exempt must be called before the process serves.
func (p *Policy) Exempt(patterns ...string) {
	p.exempt = append(p.exempt, patterns...)
	p.current.Store(compile(p.load().source, p.exempt...))
}

// Set replaces the policy. If the new one has problems, it returns a *PolicyError that lists all of them, and changes nothing.
func (p *Policy) Set(next *policyv1.EffectivePolicy) error {
	if next == nil {
		next = &policyv1.EffectivePolicy{}
	}
	next = proto.CloneOf(next)
	if problems := check(next); len(problems) > 0 {
		return &PolicyError{Problems: problems}
	}
	p.current.Store(compile(next, p.exempt...))
	p.changed.notify()
	return nil
}

// Version returns the version field of the policy in force.
func (p *Policy) Version() string { return p.load().source.GetVersion() }

var noPolicy = compile(&policyv1.EffectivePolicy{})

func (p *Policy) load() *compiled {
	if p != nil {
		if c := p.current.Load(); c != nil {
			return c
		}
	}
	return noPolicy
}

// PolicyError lists the problems of a policy.
type PolicyError struct{ Problems []PolicyProblem }

// PolicyProblem is one problem of a policy. Line is 0 if there is no file. Try is a value that would be accepted, or empty.
type PolicyProblem struct {
	Line  int
	Field string
	Why   string
	Try   string
}

// String returns the problem in one line.
func (p PolicyProblem) String() string {
	if p.Line > 0 {
		return fmt.Sprintf("line %d: %s: %s", p.Line, p.Field, p.Why)
	}
	return p.Field + ": " + p.Why
}

// Remedies returns values that would be accepted. With several problems each remedy names its field.
func (e *PolicyError) Remedies() (all []remedy.Remedy) {
	for _, p := range e.Problems {
		switch {
		case p.Try == "":
		case len(e.Problems) == 1:
			all = append(all, remedy.Value(p.Try))
		default:
			all = append(all, remedy.Value(p.Field+": "+p.Try))
		}
	}
	return all
}

// Error lists all problems in one line.
func (e *PolicyError) Error() string {
	text := "reading the policy"
	for i, p := range e.Problems {
		separator := "; "
		if i == 0 {
			separator = ": "
		}
		text += separator + p.String()
	}
	return text
}
