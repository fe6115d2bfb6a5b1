package scenarios

import (
	"context"

	"github.com/grpc-sandbox/sandbox/scenarios/target"
)

// fakePartners are the partners of a fakeCluster. Each has a certificate from the start.
type fakePartners struct{ *fakeCluster }

func (f fakePartners) Certificate(_ context.Context, partner string) (target.PartnerCertificate, bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return target.PartnerCertificate{Serial: "1", Revoked: f.revoked[partner]}, true, f.broken["Certificate"]
}

func (f fakePartners) Revoke(ctx context.Context, partner string) error {
	if err := f.touch(ctx, "Revoke", "revoke %s", partner); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.revoked[partner] = true
	return nil
}

func (f fakePartners) Admit(ctx context.Context, partner string, _ []string) error {
	if err := f.touch(ctx, "Admit", "admit %s", partner); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.revoked, partner)
	return nil
}

// Renew renews the certificate of a release.
func (w *fakeCluster) Renew(ctx context.Context, release string) error {
	return w.touch(ctx, "Renew", "renew %s", release)
}
