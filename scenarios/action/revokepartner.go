package action

import (
	"context"
	"fmt"
	"strings"

	"github.com/grpc-sandbox/sandbox/scenarios/grammar"
	"github.com/grpc-sandbox/sandbox/scenarios/report"
	"github.com/grpc-sandbox/sandbox/scenarios/target"
)

type revokePartner struct{ Partner string }

func revokePartnerKind() Kind {
	return Kind{
		Kind: grammar.Kind[Action]{
			Name: "revokePartner",
			Doc: "Revokes all certificates of a partner that sends a load. The step is done when every gateway refuses them. Undoing issues a new certificate to the " +
				"partner, and its loads go on with that. In `sandbox partner list` the partner has the prefix `run-`, so that no scenario revokes a partner of yours.",
			Fields: []grammar.Field{
				grammar.Required("partner", "partner", "acme", "the partner: NAME of a load `from: partner/NAME`"),
			},
			Decode: func(o grammar.Object) Action { return revokePartner{o.Refer("partner", grammar.PartnerRef)} },
		},
		Disturbs: true,
		ReadUndo: ReversalOf[partnerBack],
	}
}

func (a revokePartner) String() string { return "revoke partner " + a.Partner }

func (a revokePartner) Resolve(ctx context.Context, c Context) (Effect, error) {
	undo := partnerBack{Partner: a.Partner}
	var loads []string
	for _, l := range c.Loads {
		if l.Partner() == a.Partner {
			loads = append(loads, l.Name)
			undo.Loads = append(undo.Loads, c.LoadPrefix+l.Name)
		}
	}
	// While planning, the loads have not started, and the partner has no certificate yet.
	if !c.Planning {
		before, ok, err := c.Target.Partners.Certificate(ctx, a.Partner)
		if err != nil {
			return Effect{}, fmt.Errorf("reading the certificate of partner %s: %w", a.Partner, err)
		}
		undo.Serial, undo.Revoked = before.Serial, before.Revoked || !ok
	}
	return Effect{
		Detail:  fmt.Sprintf("%s, which sends %s", a, strings.Join(loads, ", ")),
		Touches: report.BlastRadius{Share: c.shareOf(func(l target.LoadSpec) bool { return l.Partner() == a.Partner })},
		Undo:    undo,
		Do: func(ctx context.Context) error {
			if err := c.Target.Partners.Revoke(ctx, a.Partner); err != nil {
				return fmt.Errorf("revoking partner %s: %w", a.Partner, err)
			}
			return nil
		},
	}, nil
}

// partnerBack admits a partner again that the step has revoked.
type partnerBack struct {
	Partner string `json:"partner"`
	// Loads are the names of the partner's loads on the generator.
	Loads []string `json:"loads"`
	// Serial is that of the newest certificate before the step. Revoked means that it was revoked before, or that there was none.
	Serial  string `json:"serial"`
	Revoked bool   `json:"revoked,omitempty"`
}

func (b partnerBack) Subject() string { return "partner " + b.Partner }

func (b partnerBack) Rebase(below Reversal) Reversal {
	b.Revoked = below.(partnerBack).Revoked
	return b
}

// Restore issues a certificate even if the partner has a valid one, unless it is that from before: the loads do not have one that another program has
// made, or that an earlier Restore has made before it was killed.
func (b partnerBack) Restore(ctx context.Context, t target.Target) error {
	now, ok, err := t.Partners.Certificate(ctx, b.Partner)
	switch {
	case err != nil:
		return fmt.Errorf("reading the certificate of partner %s: %w", b.Partner, err)
	case b.Revoked || ok && !now.Revoked && now.Serial == b.Serial:
		return nil
	case !ok:
		return &ChangedError{Subject: b.Subject(), Is: "unknown", Set: b.state(b.Serial)}
	case now.Revoked && now.Serial != b.Serial:
		return &ChangedError{Subject: b.Subject(), Is: b.state(now.Serial), Set: b.state(b.Serial)}
	}
	if err := t.Partners.Admit(ctx, b.Partner, b.Loads); err != nil {
		return fmt.Errorf("admitting partner %s again: %w", b.Partner, err)
	}
	return nil
}

func (partnerBack) state(serial string) string {
	return fmt.Sprintf("revoked with certificate %.16s", serial)
}
