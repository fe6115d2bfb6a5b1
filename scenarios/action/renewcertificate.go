package action

import (
	"context"
	"fmt"

	"github.com/grpc-sandbox/sandbox/scenarios/grammar"
	"github.com/grpc-sandbox/sandbox/scenarios/report"
)

type renewCertificate struct{ Release string }

func renewCertificateKind() Kind {
	return Kind{
		Kind: grammar.Kind[Action]{
			Name: "renewCertificate",
			Doc: "Has the certificate of a release issued again with a new key. The step is done when every pod of the release presents the new one, which takes up to " +
				"half a minute. Nothing has to be undone: the new certificate is as good as the old one.",
			Fields: []grammar.Field{grammar.Required("release", "text", "userservice", "the release")},
			Decode: func(o grammar.Object) Action { return renewCertificate{o.Text("release")} },
		},
		Disturbs: true,
	}
}

func (a renewCertificate) String() string { return "renew the certificate of " + a.Release }

func (a renewCertificate) Affects() string { return a.Release }

func (a renewCertificate) Resolve(ctx context.Context, c Context) (Effect, error) {
	_, ready, err := c.readyPods(ctx, a.Release)
	if err != nil {
		return Effect{}, err
	}
	return Effect{
		Detail:  a.String(),
		Touches: report.BlastRadius{Pods: ready, OfPods: ready, Share: c.shareTo(a.Release)},
		Do: func(ctx context.Context) error {
			if err := c.Target.Certificates.Renew(ctx, a.Release); err != nil {
				return fmt.Errorf("renewing the certificate of %s: %w", a.Release, err)
			}
			return nil
		},
	}, nil
}
