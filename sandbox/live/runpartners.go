package live

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/grpc-sandbox/sandbox/scenarios/target"
)

// RunPrefix precedes the names of the partners of scenarios, so that a run neither uses nor revokes those of the user.
const RunPrefix = "run-"

// runPartner issues a certificate to a partner of a scenario. It expires soon, because a run has no use for it afterwards.
func (c *Cluster) runPartner(ctx context.Context, name string) (PartnerPair, error) {
	pair, err := c.NewPartner(ctx, RunPrefix+name, time.Hour, false)
	if errors.Is(err, errPartnerExists) {
		return c.NewPartner(ctx, RunPrefix+name, time.Hour, true)
	}
	return pair, err
}

// runPartners implements target.Partners. Scenarios name their partners without RunPrefix.
type runPartners struct {
	cluster interface {
		Partners(ctx context.Context) ([]Partner, error)
		RevokePartner(ctx context.Context, name string) (revoked int, err error)
	}
	loads partnerLoads
}

func (p runPartners) Certificate(ctx context.Context, partner string) (c target.PartnerCertificate, ok bool, err error) {
	all, err := p.cluster.Partners(ctx)
	if err != nil {
		return c, false, err
	}
	i := slices.IndexFunc(all, func(one Partner) bool { return one.Name == RunPrefix+partner && len(one.Certificates) > 0 })
	if i < 0 {
		return c, false, nil
	}
	newest := all[i].Certificates[0]
	return target.PartnerCertificate{Serial: newest.Serial, Revoked: !newest.Revoked.IsZero()}, true, nil
}

func (p runPartners) Revoke(ctx context.Context, partner string) error {
	_, err := p.cluster.RevokePartner(ctx, RunPrefix+partner)
	return err
}

func (p runPartners) Admit(ctx context.Context, partner string, loads []string) error {
	return p.loads.admit(ctx, partner, loads)
}
