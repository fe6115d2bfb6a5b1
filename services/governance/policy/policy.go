// Package policy is what governance enforces: its text form, the checks of its values, and the compiled rules for each method.
//
//	YAML or JSON ── Parse ──▶ policyv1.EffectivePolicy ── New, Set ──▶ Policy ── Rules ──▶ the rule of a method
//	    ▲                          (the grammar, a proto)            (in force, replaced as a whole)
//	  File, which follows a mounted ConfigMap
//
// A Policy can be replaced while calls are running. Rules, which a call reads once, never change. Every problem names its field and, if the policy
// came from a text, its line.
package policy

import (
	"fmt"
	"sync"
	"sync/atomic"

	"google.golang.org/protobuf/proto"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// Policy is what a process enforces. It is replaced atomically and as a whole; what was measured and counted (windows of breakers, tokens of
// limiters, calls in flight) is kept. The zero value has the defaults.
type Policy struct {
	current atomic.Pointer[Rules]
	changed notifier
	pod     string
	exempt  []string

	// changing is held during a change and its reports, so that they are in order. It guards the fields below.
	changing sync.Mutex
	layers   layers
	// observer and known may be nil.
	observer Observer
	known    *Known
}

// New returns a policy in force; nil means the defaults.
func New(p *policyv1.EffectivePolicy) (*Policy, error) {
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
	p.current.Store(compile(p.Rules().source, p.pod, p.exempt...))
}

// In names the pod in which the policy is enforced, for faults that affect only some pods. In must be called before the process serves.
func (p *Policy) In(pod string) {
	p.pod = pod
	p.current.Store(compile(p.Rules().source, p.pod, p.exempt...))
}

// Set replaces the policy of the program, for example that of its file. If the new one has problems, Set returns a *Error that lists all of them,
// and changes nothing. The observer learns of both. Set must not be called by an observer or a subscriber.
func (p *Policy) Set(next *policyv1.EffectivePolicy) error {
	return p.replace(next, func(l *layers, next *policyv1.EffectivePolicy) { l.own = next })
}

// Push replaces what a control plane has added to the policy of the program: rules that come after those of Set, and settings that replace them.
// It is otherwise like Set. nil removes it.
func (p *Policy) Push(next *policyv1.EffectivePolicy) error {
	return p.replace(next, func(l *layers, next *policyv1.EffectivePolicy) { l.pushed = next })
}

func (p *Policy) replace(next *policyv1.EffectivePolicy, in func(*layers, *policyv1.EffectivePolicy)) error {
	if next == nil {
		next = &policyv1.EffectivePolicy{}
	}
	next = proto.CloneOf(next)
	if problems := Check(next); len(problems) > 0 {
		err := &Error{Problems: problems}
		p.keep(err)
		return err
	}
	p.changing.Lock()
	defer p.changing.Unlock()
	in(&p.layers, next)
	p.current.Store(compile(p.layers.merge(), p.pod, p.exempt...))
	p.changed.notify()
	if p.observer != nil {
		p.observer.Applied(p.layers.version())
	}
	p.reportUnmatched()
	return nil
}

// Subscribe calls changed after each change of the policy, until cancel is called.
func (p *Policy) Subscribe(changed func()) (cancel func()) { return p.changed.subscribe(changed) }

// Version returns the version field of the policy in force.
func (p *Policy) Version() string { return p.Rules().source.GetVersion() }

var noPolicy = compile(&policyv1.EffectivePolicy{}, "")

// Rules returns the policy in force. It is never nil: a nil Policy has the defaults.
func (p *Policy) Rules() *Rules {
	if p != nil {
		if c := p.current.Load(); c != nil {
			return c
		}
	}
	return noPolicy
}

// Error lists the problems of a policy.
type Error struct{ Problems []Problem }

// Problem is one problem of a policy. Line is 0 if there is no file. Try is a value that would be accepted, or empty.
type Problem struct {
	// Line counts from 1.
	Line int
	// Field is the path of the field, such as client[1].breaker.failureRatio, or "file" for the text as a whole. It may be empty.
	Field string
	// Why continues the sentence that starts with the field, such as "has more than one document".
	Why string
	Try string
}

// String returns the problem in one line.
func (p Problem) String() string {
	text := p.Why
	if p.Field != "" {
		text = p.Field + ": " + text
	}
	if p.Line > 0 {
		return fmt.Sprintf("line %d: %s", p.Line, text)
	}
	return text
}

// Remedies returns values that would be accepted. With several problems each remedy names its field.
func (e *Error) Remedies() (all []remedy.Remedy) {
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
func (e *Error) Error() string {
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
