package live

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/grpc-sandbox/sandbox/charts"
	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox"
	"github.com/grpc-sandbox/sandbox/services/control/controlv1"
	"github.com/grpc-sandbox/sandbox/services/control/telemetryv1"
	"github.com/grpc-sandbox/sandbox/services/descriptors"
)

// PartnerCertificate is a certificate of a partner of the gateway. Serial is its serial number in hexadecimal digits, and Revoked is zero unless it is
// revoked.
type PartnerCertificate struct {
	Serial    string    `json:"serial"`
	NotBefore time.Time `json:"notBefore"`
	NotAfter  time.Time `json:"notAfter"`
	Revoked   time.Time `json:"revoked,omitzero"`
}

// Partner is a partner of the gateway, with its certificates, the newest first.
type Partner struct {
	Name         string               `json:"name"`
	Certificates []PartnerCertificate `json:"certificates"`
}

// PartnerFiles are what a partner needs for its calls.
type PartnerFiles struct {
	// Certificate is the one that was issued.
	Certificate PartnerCertificate `json:"certificate"`
	// Address is where the gateway is reached from this machine; empty for a cluster that an earlier version has created.
	Address string `json:"address"`
	// CertificateFile and KeyFile are the paths of the partner's own files in PEM. RootsFile has the roots of the gateway's certificate in PEM, and ProtosFile
	// the protos of the services as a FileDescriptorSet.
	CertificateFile string `json:"certificateFile"`
	KeyFile         string `json:"keyFile"`
	RootsFile       string `json:"rootsFile"`
	ProtosFile      string `json:"protosFile"`
}

// IssuePartner issues a certificate to a partner, and writes it with its key into a folder. The key is made here and sent nowhere. Zero for validFor
// means 90 days. With renew, the partner must have a certificate, which stays valid.
func (c *Cluster) IssuePartner(ctx context.Context, name, folder string, validFor time.Duration, renew bool) (PartnerFiles, error) {
	files := PartnerFiles{CertificateFile: filepath.Join(folder, "partner.crt"), KeyFile: filepath.Join(folder, "partner.key"),
		RootsFile: filepath.Join(folder, "ca.crt"), ProtosFile: filepath.Join(folder, "services.protoset")}
	remove, err := prepareFolder(folder)
	if err != nil {
		return files, remedy.Wrap(fmt.Errorf("writing the certificate of %s: %w", name, err), remedy.Flag("dir", "."))
	}
	pair, err := c.NewPartner(ctx, name, validFor, renew)
	if err != nil {
		remove()
		return files, err
	}
	files.Certificate = pair.Issued
	if files.Address, err = sandbox.GatewayAddress(c.Folders, c.Name); err != nil {
		return files, err
	}
	for _, f := range []struct {
		path string
		data []byte
	}{{files.KeyFile, pair.KeyPEM}, {files.CertificateFile, pair.CertificatePEM}, {files.RootsFile, pair.RootsPEM}, {files.ProtosFile, descriptors.Encoded()}} {
		if err := os.WriteFile(f.path+".new", f.data, 0o600); err != nil {
			return files, fmt.Errorf("writing the certificate of %s: %w", name, err)
		}
		if err := os.Rename(f.path+".new", f.path); err != nil {
			return files, fmt.Errorf("writing the certificate of %s: %w", name, err)
		}
	}
	return files, nil
}

// prepareFolder creates a folder if there is none, and finds out whether files can be written into it. Otherwise the control plane would issue a
// certificate whose key is lost. remove removes a folder that prepareFolder has created.
func prepareFolder(folder string) (remove func(), err error) {
	_, err = os.Stat(folder)
	created := errors.Is(err, fs.ErrNotExist)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}
	remove = func() {
		if created {
			// It fails only if there are files in the folder, which are not ours.
			_ = os.Remove(folder)
		}
	}
	probe, err := os.CreateTemp(folder, ".writable-")
	if err == nil {
		err = errors.Join(probe.Close(), os.Remove(probe.Name()))
	}
	if err != nil {
		remove()
	}
	return remove, err
}

// PartnerPair is a certificate of a partner with its key, and the roots of the gateway.
type PartnerPair struct {
	// Issued describes the certificate in CertificatePEM. KeyPEM is its private key in PKCS #8, and RootsPEM the trust bundle of the shop.
	Issued                           PartnerCertificate
	CertificatePEM, KeyPEM, RootsPEM []byte
}

// NewPartner issues a certificate to a partner; see IssuePartner.
func (c *Cluster) NewPartner(ctx context.Context, name string, validFor time.Duration, renew bool) (PartnerPair, error) {
	var pair PartnerPair
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return pair, fmt.Errorf("making the key of %s: %w", name, err)
	}
	request, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		return pair, fmt.Errorf("making the key of %s: %w", name, err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return pair, fmt.Errorf("making the key of %s: %w", name, err)
	}
	bundles, err := c.Kube.TrustBundles(ctx)
	if err != nil {
		return pair, err
	}
	rpc, err := c.partners(ctx)
	if err != nil {
		return pair, err
	}
	ask := &controlv1.IssueCertificateRequest{Name: name, Renewal: renew, RequestPem: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: request})}
	if validFor != 0 {
		ask.ValidFor = durationpb.New(validFor)
	}
	limited, cancel := context.WithTimeout(ctx, controlLimit)
	defer cancel()
	answer, err := rpc.IssueCertificate(limited, ask)
	if err != nil {
		return pair, partnerError("issuing a certificate to "+name, name, err)
	}
	return PartnerPair{partnerCertificate(answer.GetCertificate()), answer.GetCertificatePem(), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), bundles[charts.ShopNamespace]}, nil
}

func (c *Cluster) partners(ctx context.Context) (controlv1.PartnersClient, error) {
	conn, err := c.Control(ctx)
	if err != nil {
		return nil, err
	}
	return controlv1.NewPartnersClient(conn), nil
}

// errPartnerExists means that a partner has a certificate already.
var errPartnerExists = errors.New("the partner has a certificate already")

// partnerError adds what to do about an answer of the control plane.
func partnerError(doing, name string, err error) error {
	switch status.Code(err) {
	case codes.AlreadyExists:
		return remedy.Wrap(fmt.Errorf("%s: %w", doing, errPartnerExists), remedy.Command("partner", "renew", name))
	case codes.NotFound:
		return remedy.Wrap(fmt.Errorf("%s: %s", doing, status.Convert(err).Message()), remedy.Command("partner", "list"))
	case codes.FailedPrecondition:
		return remedy.Wrap(fmt.Errorf("%s: %s", doing, status.Convert(err).Message()), remedy.Command("partner", "add", name))
	case codes.InvalidArgument:
		return fmt.Errorf("%s: %s", doing, status.Convert(err).Message())
	}
	return controlError(doing, err)
}

func partnerCertificate(p *controlv1.PartnerCertificate) PartnerCertificate {
	out := PartnerCertificate{Serial: p.GetSerial(), NotBefore: p.GetNotBefore().AsTime(), NotAfter: p.GetNotAfter().AsTime()}
	if p.GetRevokedAt() != nil {
		out.Revoked = p.GetRevokedAt().AsTime()
	}
	return out
}

// Partners returns the partners of the gateway in the order of their names.
func (c *Cluster) Partners(ctx context.Context) ([]Partner, error) {
	rpc, err := c.partners(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, controlLimit)
	defer cancel()
	answer, err := rpc.ListPartners(ctx, &controlv1.ListPartnersRequest{})
	if err != nil {
		return nil, controlError("listing the partners", err)
	}
	all := []Partner{}
	for _, p := range answer.GetPartners() {
		one := Partner{Name: p.GetName()}
		for _, cert := range p.GetCertificates() {
			one.Certificates = append(one.Certificates, partnerCertificate(cert))
		}
		all = append(all, one)
	}
	return all, nil
}

// revokeLimit bounds how long the gateways may take to apply a revocation.
const revokeLimit = 20 * time.Second

// The kind and the label of the events with which gateways say which partners they admit. They are those of services/gateway.
const (
	kindGateway   = "gateway"
	labelPartners = "partners"
)

// RevokePartner revokes all certificates of a partner, and returns how many it has revoked when every gateway refuses them.
func (c *Cluster) RevokePartner(ctx context.Context, name string) (revoked int, err error) {
	ctx, cancel := context.WithTimeout(ctx, revokeLimit)
	defer cancel()
	rpc, err := c.partners(ctx)
	if err != nil {
		return 0, err
	}
	conn, err := c.Control(ctx)
	if err != nil {
		return 0, err
	}
	// The events are watched before the revocation, so that none of it is missed.
	events, err := telemetryv1.NewEventsClient(conn).Watch(ctx, &telemetryv1.WatchRequest{Kinds: []string{kindGateway}})
	if err == nil {
		_, err = events.Header()
	}
	if err != nil {
		return 0, controlError("watching the gateways", err)
	}
	pods, err := c.Workloads.Pods(ctx, charts.Gateway)
	if err != nil {
		return 0, err
	}
	// A pod that is not ready yet starts with the newest revocations.
	var waiting []string
	for _, p := range pods {
		if p.Ready {
			waiting = append(waiting, p.Name)
		}
	}
	answer, err := rpc.RevokePartner(ctx, &controlv1.RevokePartnerRequest{Name: name})
	if err != nil {
		return 0, partnerError("revoking "+name, name, err)
	}
	revoked = int(answer.GetRevoked())
	if revoked == 0 {
		return 0, nil
	}
	if err := awaitVersion(events.Recv, waiting, answer.GetVersion()); err != nil {
		return revoked, remedy.Wrap(fmt.Errorf("the certificates of %s are revoked, but not every gateway has confirmed that it refuses them: %w", name, err), remedy.Command("status"))
	}
	return revoked, nil
}

// awaitVersion waits until each pod admits the partners of a version or a later one.
func awaitVersion(receive func() (*telemetryv1.Event, error), waiting []string, version int64) error {
	for len(waiting) > 0 {
		e, err := receive()
		if err != nil {
			return errors.Join(fmt.Errorf("waiting for %v", waiting), err)
		}
		applied, err := strconv.ParseInt(e.GetLabels()[labelPartners], 10, 64)
		if err == nil && applied >= version {
			waiting = slices.DeleteFunc(waiting, func(pod string) bool { return pod == e.GetPod() })
		}
	}
	return nil
}
