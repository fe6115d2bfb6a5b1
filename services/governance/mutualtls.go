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
// time of the handshake. With an empty name, every handshake fails.
func (id *Identity) ClientTLS(serverName string) *tls.Config {
	return id.clientTLS(serverName, func(string) error { return nil })
}

// clientTLS is ClientTLS that also checks the identity of the server.
func (id *Identity) clientTLS(serverName string, check func(identity string) error) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		ServerName: serverName,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return &id.current.Load().pair, nil
		},
		// RootCAs cannot change during the life of a tls.Config, so verify makes the standard checks with the current roots.
		InsecureSkipVerify: true, //nolint:gosec // VerifyConnection verifies chain and name
		VerifyConnection:   func(cs tls.ConnectionState) error { return id.verify(cs, serverName, check) },
	}
}

func (id *Identity) verify(cs tls.ConnectionState, serverName string, check func(identity string) error) error {
	if serverName == "" {
		// x509 would accept any name.
		return errors.New("the server's certificate cannot be verified without the name of the server")
	}
	if len(cs.PeerCertificates) == 0 {
		return errors.New("the server presented no certificate")
	}
	between := x509.NewCertPool()
	for _, c := range cs.PeerCertificates[1:] {
		between.AddCert(c)
	}
	leaf := cs.PeerCertificates[0]
	_, err := leaf.Verify(x509.VerifyOptions{
		Roots:         id.current.Load().roots,
		Intermediates: between,
		DNSName:       serverName,
		KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	if err != nil {
		return fmt.Errorf("verifying the certificate of %s: %w", serverName, &certificateError{err})
	}
	if err := check(nameOf(leaf)); err != nil {
		return fmt.Errorf("verifying the certificate of %s: %w", serverName, err)
	}
	return nil
}

// certificateError means that the certificate of a server is not valid for its name.
type certificateError struct{ error }

// Unwrap returns what is wrong with the certificate.
func (e *certificateError) Unwrap() error { return e.error }
