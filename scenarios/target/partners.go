package target

import "context"

// PartnerCertificate is the newest certificate of a partner.
type PartnerCertificate struct {
	// Serial is the serial number in hexadecimal digits. No other certificate has it.
	Serial string
	// Revoked means that gateways refuse the certificate.
	Revoked bool
}

// Partners admits and revokes the partners that send loads through the gateway.
type Partners interface {
	// Certificate returns the newest certificate of a partner. ok is false if there is none.
	Certificate(ctx context.Context, partner string) (c PartnerCertificate, ok bool, err error)
	// Revoke revokes all certificates of a partner, and waits until every gateway that is ready refuses them.
	Revoke(ctx context.Context, partner string) error
	// Admit issues a certificate to a partner, and makes the loads call with it from now on. Loads that are not running are left out.
	Admit(ctx context.Context, partner string, loads []string) error
}

// Certificates renews the certificates of workloads.
type Certificates interface {
	// Renew has the certificate of a release issued again with a new key, and waits until every pod of the release presents the new one.
	Renew(ctx context.Context, release string) error
}
