package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// place is a cluster of pods. Each server is a real TLS server on a pipe.
type place struct {
	pods    []Pod
	metrics string
	serve   func(net.Conn)
}

func (p place) Pods(context.Context) ([]Pod, error) { return p.pods, nil }

func (p place) Metrics(context.Context, Pod, int) ([]byte, error) {
	if p.metrics == "" {
		return nil, errors.New("connection refused")
	}
	return []byte(p.metrics), nil
}

func (p place) Dial(context.Context, Pod, int) (net.Conn, error) {
	near, far := net.Pipe()
	go func() {
		defer far.Close()
		p.serve(far)
	}()
	return near, nil
}

func tlsServer(own tls.Certificate, trusted ...*x509.Certificate) func(net.Conn) {
	return func(conn net.Conn) {
		s := tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{own}, ClientAuth: tls.RequestClientCert, ClientCAs: pool(trusted), NextProtos: []string{"h2"}})
		if s.Handshake() == nil {
			_, _ = io.Copy(io.Discard, s)
		}
	}
}

func postgresServer(own tls.Certificate, trusted ...*x509.Certificate) func(net.Conn) {
	return func(conn net.Conn) {
		request := make([]byte, 8)
		if _, err := io.ReadFull(conn, request); err != nil || string(request) != "\x00\x00\x00\x08\x04\xd2\x16\x2f" {
			return
		}
		_, _ = conn.Write([]byte("S"))
		tlsServer(own, trusted...)(conn)
	}
}

func TestProcesses_ReportWhatTheyTrustAndPresent(t *testing.T) {
	first, second, third := root(t, time.Now()), root(t, time.Now()), root(t, time.Now())
	// The server presents a root directly. The rotation tests cover chains.
	own, err := tls.X509KeyPair(second.CertPEM, second.KeyPEM)
	if err != nil {
		t.Fatal(err)
	}
	former, err := tls.X509KeyPair(first.CertPEM, first.KeyPEM)
	if err != nil {
		t.Fatal(err)
	}
	known := []*x509.Certificate{first.Cert, second.Cert, third.Cert}
	metrics := fmt.Sprintf("sandbox_tls_trusted_root{fingerprint=%q} 1\nsandbox_tls_trusted_root{fingerprint=%q} 1\nsandbox_tls_certificate{fingerprint=%q,root=%q} 1\n",
		Fingerprint(first.Cert), Fingerprint(second.Cert), Fingerprint(own.Leaf), Fingerprint(second.Cert))
	both := place{metrics: metrics}
	for _, c := range []struct {
		name  string
		at    string
		place place
		fails string
	}{
		{"by metrics", "metrics:9464", both, ""},
		{"by a TLS handshake", "tls:4317", place{serve: tlsServer(own, first.Cert, second.Cert)}, ""},
		{"by PostgreSQL's TLS handshake", "postgres:5432", place{serve: postgresServer(own, first.Cert, second.Cert)}, ""},
		{"by metrics and a TLS handshake with the same certificate", "metrics:9464,tls:8443", place{metrics: metrics, serve: tlsServer(own)}, ""},
		{"by metrics and a TLS handshake with the former certificate", "metrics:9464,tls:8443", place{metrics: metrics, serve: tlsServer(former)},
			"it presents another certificate at tls:8443 than at metrics:9464"},
		{"without an annotation", "", both, "it does not say where"},
		{"by an unknown protocol", "smoke:1", both, `it names protocol "smoke"`},
		{"while it does not answer", "metrics:9464", place{}, "connection refused"},
		{"by metrics of an earlier version", "metrics:9464", place{metrics: "up 1\n"}, "it reports 0 certificates and 0 roots"},
		{"by a server without TLS", "postgres:5432", place{serve: func(c net.Conn) { _, _ = io.ReadFull(c, make([]byte, 8)); _, _ = c.Write([]byte("N")) }}, "does not speak TLS"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.place.pods = []Pod{{Namespace: "shop", Name: "a", Running: true, At: c.at}, {Namespace: "shop", Name: "starts", At: c.at}}
			o := Observer{Cluster: c.place, Now: time.Now, Own: func(context.Context) (tls.Certificate, error) { return own, nil }}
			got, err := o.Processes(t.Context(), known)
			if err != nil || len(got) != 2 || got[1].Err == nil || got[1].Pod != "shop/starts" {
				t.Fatalf("got %+v, %v", got, err)
			}
			p := got[0]
			if c.fails != "" {
				if p.Err == nil || !strings.Contains(p.Err.Error(), c.fails) {
					t.Errorf("got %v, want %q", p.Err, c.fails)
				}
				return
			}
			if p.Err != nil || p.Presents != Fingerprint(own.Leaf) || p.Root != Fingerprint(second.Cert) {
				t.Errorf("got %+v", p)
			}
			if len(p.Trusts) != 2 || !p.Trusts[Fingerprint(first.Cert)] || !p.Trusts[Fingerprint(second.Cert)] {
				t.Errorf("it trusts %v", p.Trusts)
			}
		})
	}
}
