package gateway

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"

	"google.golang.org/grpc"

	"github.com/grpc-sandbox/sandbox/services/control/controlv1"
	"github.com/grpc-sandbox/sandbox/services/control/subscriber"
)

// remember makes the partners in force whom a former run of this pod's container has admitted, so that a restart does not need the control plane.
func (a *agent) remember() {
	text, err := os.ReadFile(a.file(revocationsFile))
	if err != nil {
		return
	}
	if _, err := os.Stat(a.file(authoritiesFile)); err != nil {
		return
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return
	}
	list, err := x509.ParseRevocationList(block.Bytes)
	if err != nil || list.Number == nil || !list.Number.IsInt64() {
		a.log.Warn("the stored partners cannot be read: waiting for the control plane", "error", err)
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.trust = list.Number.Int64()
}

// followTrust applies the authorities and revocations of partners until ctx ends.
func (a *agent) followTrust(ctx context.Context, control subscriber.Config) error {
	conn, err := subscriber.Dial(a.process, control)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	subscriber.KeepTrying(ctx, a.log, "following the partners: trying again, with the last known ones in force", func(ctx context.Context) error {
		return a.receiveTrust(ctx, conn)
	})
	return nil
}

func (a *agent) receiveTrust(ctx context.Context, conn *grpc.ClientConn) error {
	stream, err := controlv1.NewGatewaysClient(conn).FollowTrust(ctx, &controlv1.FollowTrustRequest{})
	if err != nil {
		return err
	}
	for {
		trust, err := stream.Recv()
		if err != nil {
			return err
		}
		if err := a.admit(trust); err != nil {
			return err
		}
	}
}

// admit makes nginx admit the partners of a trust. After an error, the former ones are admitted.
func (a *agent) admit(trust *controlv1.PartnerTrust) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	before := a.trust
	restore, err := a.replace(map[string][]byte{authoritiesFile: trust.GetAuthoritiesPem(), revocationsFile: trust.GetRevocationsPem()})
	if err != nil {
		return err
	}
	a.trust = trust.GetVersion()
	if err := a.applyLocked(fmt.Sprintf("version %d of the partners", trust.GetVersion())); err != nil {
		a.trust = before
		restore()
		return err
	}
	return nil
}

// replace writes files, and returns what writes the former contents again.
func (a *agent) replace(files map[string][]byte) (restore func(), err error) {
	former := map[string][]byte{}
	for name, data := range files {
		if former[name], err = os.ReadFile(a.file(name)); err != nil && !os.IsNotExist(err) {
			return nil, fmt.Errorf("reading %s: %w", name, err)
		}
		if err := os.WriteFile(a.file(name)+".new", data, 0o600); err != nil {
			return nil, fmt.Errorf("writing %s: %w", name, err)
		}
		if err := os.Rename(a.file(name)+".new", a.file(name)); err != nil {
			return nil, fmt.Errorf("writing %s: %w", name, err)
		}
	}
	return func() {
		for name, data := range former {
			if data == nil {
				continue
			}
			if err := os.WriteFile(a.file(name), data, 0o600); err != nil {
				a.log.Error("restoring the partners", "error", err)
			}
		}
	}, nil
}
