package live

import (
	"context"
	"fmt"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox"
	"github.com/grpc-sandbox/sandbox/sandbox/kube"
)

// certificates implements target.Certificates with the releases that scenarios may change.
type certificates struct{ client *kube.Client }

func (c certificates) Renew(ctx context.Context, release string) error {
	for _, r := range sandbox.Releases() {
		if r.Target && r.Name == release {
			return sandbox.RenewRelease(ctx, c.client, r)
		}
	}
	return remedy.Wrap(fmt.Errorf("there is no release %s whose certificate can be renewed", release), remedy.Command("certs", "list"))
}
