package governance

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
)

// ServerTLS returns a configuration that requires a client certificate from an authority that is trusted at the time of the handshake.
func (id *Identity) ServerTLS() *tls.Config {
	base := &tls.Config{MinVersion: tls.VersionTLS13, NextProtos: []string{"h2"}}
	base.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		now := id.current.Load()
		return &tls.Config{
			MinVersion:   tls.VersionTLS13,
			NextProtos:   []string{"h2"},
			Certificates: []tls.Certificate{now.pair},
			ClientAuth:   tls.RequireAndVerifyClientCert,
			ClientCAs:    now.roots,
			// A resumed session would skip the check against the current authorities.
			SessionTicketsDisabled: true,
		}, nil
	}
	return base
}

// ClientTLS returns a configuration that requires a server certificate for serverName, a DNS name, from an authority that is trusted at the
// time of the handshake.
func (id *Identity) ClientTLS(serverName string) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		ServerName: serverName,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return &id.current.Load().pair, nil
		},
		// RootCAs cannot change during the life of a tls.Config, so verify makes the standard checks with the current roots.
		InsecureSkipVerify: true, //nolint:gosec // VerifyConnection verifies chain and name
		VerifyConnection:   func(cs tls.ConnectionState) error { return id.verify(cs, serverName) },
	}
}

func (id *Identity) verify(cs tls.ConnectionState, serverName string) error {
	if len(cs.PeerCertificates) == 0 {
		return errors.New("the server presented no certificate")
	}
	between := x509.NewCertPool()
	for _, c := range cs.PeerCertificates[1:] {
		between.AddCert(c)
	}
	_, err := cs.PeerCertificates[0].Verify(x509.VerifyOptions{
		Roots:         id.current.Load().roots,
		Intermediates: between,
		DNSName:       serverName,
		KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	if err != nil {
		return fmt.Errorf("verifying the certificate of %s: %w", serverName, err)
	}
	return nil
}
