package governance

import (
	"fmt"
	"sync/atomic"

	"google.golang.org/protobuf/proto"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// Policy is what this process enforces now. It is replaced as a whole and at once; what was measured and counted under the one before
// (windows of breakers, tokens of limiters, calls in flight) goes on under the new one. The zero value means the defaults.
type Policy struct {
	current atomic.Pointer[compiled]
	changed notifier
	exempt  []string
}

// NewPolicy compiles p; nil means the defaults.
func NewPolicy(p *policyv1.EffectivePolicy) (*Policy, error) {
	policy := &Policy{}
	if err := policy.Set(p); err != nil {
		return nil, err
	}
	return policy, nil
}

// Exempt names methods, by pattern, that no policy may touch: those by which the process itself is controlled. Health is
// exempt always, and reflection from all but lists of callers. Call it before the process serves.
func (p *Policy) Exempt(patterns ...string) {
	p.exempt = append(p.exempt, patterns...)
	p.current.Store(compile(p.load().source, p.exempt...))
}

// Set replaces the policy, or returns a *PolicyError that lists all that is wrong and changes nothing.
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

// Version is the version field of the policy in force.
func (p *Policy) Version() string { return p.load().source.GetVersion() }

// Effective returns a copy of the policy in force.
func (p *Policy) Effective() *policyv1.EffectivePolicy { return proto.CloneOf(p.load().source) }

var noPolicy = compile(&policyv1.EffectivePolicy{})

func (p *Policy) load() *compiled {
	if p != nil {
		if c := p.current.Load(); c != nil {
			return c
		}
	}
	return noPolicy
}

// PolicyError lists what is wrong with a policy.
type PolicyError struct{ Problems []PolicyProblem }

// PolicyProblem is one mistake. Line is 0 where there is no file. Try is a value that would be accepted, or empty.
type PolicyProblem struct {
	Line  int
	Field string
	Why   string
	Try   string
}

func (p PolicyProblem) String() string {
	if p.Line > 0 {
		return fmt.Sprintf("line %d: %s: %s", p.Line, p.Field, p.Why)
	}
	return p.Field + ": " + p.Why
}

// Remedies returns what would be accepted. With several problems each remedy names its field.
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
