package action

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/scenarios/grammar"
	"github.com/grpc-sandbox/sandbox/scenarios/target"
	"github.com/grpc-sandbox/sandbox/services/control/compile"
	"github.com/grpc-sandbox/sandbox/services/governance/policy"
)

// withFields adds fields to the JSON of a specification, which are known not to be in it.
func withFields(spec string, more map[string]any) (string, error) {
	all := map[string]json.RawMessage{}
	if err := json.Unmarshal([]byte(cmp.Or(spec, "{}")), &all); err != nil {
		return "", fmt.Errorf("reading a specification: %w", err)
	}
	for name, value := range more {
		text, err := json.Marshal(value)
		if err != nil {
			return "", fmt.Errorf("writing a specification: %w", err)
		}
		all[name] = text
	}
	text, err := json.Marshal(all)
	return string(text), err
}

// selecting returns the selector of a release.
func selecting(release string) map[string]any {
	return map[string]any{"matchLabels": map[string]string{compile.ServiceLabel: release}}
}

// mistakes reads a specification and returns what is wrong with it. reserved are fields that the action sets.
func mistakes(spec string, into proto.Message, check func() []policy.Problem, reserved ...string) (all []grammar.Mistake) {
	written := map[string]json.RawMessage{}
	if spec == "" || json.Unmarshal([]byte(spec), &written) != nil {
		// The reader has reported it.
		return nil
	}
	for _, name := range reserved {
		if _, has := written[name]; has {
			all = append(all, grammar.Mistake{Field: "spec." + name, Message: "the action sets this field", Remedy: remedy.Advice("remove it")})
		}
	}
	if len(all) > 0 {
		return all
	}
	var found *policy.Error
	if _, err := policy.Decode([]byte(spec), into); !errors.As(err, &found) {
		found = &policy.Error{Problems: check()}
	}
	for _, p := range found.Problems {
		if strings.HasPrefix(p.Field, "selector") {
			continue
		}
		m := grammar.Mistake{Field: "spec." + p.Field, Message: p.Why}
		if p.Field == "" || p.Field == "file" {
			m.Field = "spec"
		}
		if p.Try != "" {
			m.Remedy = remedy.Value(p.Try)
		}
		all = append(all, m)
	}
	return all
}

// objectName returns the name of an object that a step of this run creates.
func (c Context) objectName() string {
	name := strings.ToLower(strings.Trim(c.LoadPrefix, "/"))
	return fmt.Sprintf("%s-%d", strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' {
			return r
		}
		return '-'
	}, name), c.Step+1)
}

// objectBack restores an object, or deletes one that the step has created.
type objectBack struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
	// Before is the specification before the step; nil if there was no object. Set is what the step set.
	Before *string `json:"before,omitempty"`
	Set    string  `json:"set"`
}

func (b objectBack) Subject() string { return b.Kind + " " + b.Name }

func (b objectBack) Rebase(below Reversal) Reversal {
	b.Before = below.(objectBack).Before
	return b
}

func (b objectBack) Restore(ctx context.Context, t target.Target) error {
	now, exists, err := t.Objects.Get(ctx, b.Kind, b.Name)
	switch {
	case err != nil:
		return fmt.Errorf("reading %s: %w", b.Subject(), err)
	case !exists && b.Before == nil:
		return nil
	case exists && b.Before != nil && sameJSON(now.Spec, *b.Before):
		return nil
	case !exists:
		return &ChangedError{Subject: b.Subject(), Is: "deleted", Set: b.Set}
	case !sameJSON(now.Spec, b.Set):
		return &ChangedError{Subject: b.Subject(), Is: now.Spec, Set: b.Set}
	case b.Before == nil:
		if err := t.Objects.Delete(ctx, b.Kind, b.Name); err != nil {
			return fmt.Errorf("deleting %s: %w", b.Subject(), err)
		}
		return nil
	}
	if err := t.Objects.Put(ctx, target.Object{Kind: b.Kind, Name: b.Name, Spec: *b.Before}); err != nil {
		return fmt.Errorf("restoring %s: %w", b.Subject(), err)
	}
	return nil
}

// Left reports an object that the step has created and that still exists.
func (b objectBack) Left(ctx context.Context, t target.Target) (string, error) {
	if b.Before != nil {
		return "", nil
	}
	_, exists, err := t.Objects.Get(ctx, b.Kind, b.Name)
	if err != nil {
		return "", fmt.Errorf("%s: not known whether it exists: %w", b.Subject(), err)
	}
	if exists {
		return b.Subject() + " still exists", nil
	}
	return "", nil
}

// sameJSON compares two specifications, whose fields may be in another order.
func sameJSON(a, b string) bool {
	var x, y any
	if json.Unmarshal([]byte(a), &x) != nil || json.Unmarshal([]byte(b), &y) != nil {
		return a == b
	}
	left, err := json.Marshal(x)
	right, err2 := json.Marshal(y)
	return err == nil && err2 == nil && string(left) == string(right)
}

// put returns the function that makes a step's object, and how it is undone.
func put(ctx context.Context, c Context, o target.Object) (do func(context.Context) error, undo objectBack, err error) {
	undo = objectBack{Kind: o.Kind, Name: o.Name, Set: o.Spec}
	before, exists, err := c.Target.Objects.Get(ctx, o.Kind, o.Name)
	if err != nil {
		return nil, undo, fmt.Errorf("reading %s: %w", undo.Subject(), err)
	}
	if exists {
		undo.Before = &before.Spec
	}
	return func(ctx context.Context) error {
		if err := c.Target.Objects.Put(ctx, o); err != nil {
			return fmt.Errorf("putting %s in force: %w", undo.Subject(), err)
		}
		return nil
	}, undo, nil
}
