package certs

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// Process describes which roots a process trusts and which certificate it presents, as it reports itself or as a TLS handshake shows.
type Process struct {
	// Pod is the pod of the process, as namespace/name.
	Pod string
	// Presents is the fingerprint of its certificate.
	Presents string
	// Root is the fingerprint of the root that issued the certificate. It is empty if no known root did.
	Root string
	// Trusts contains the fingerprints of the roots that the process trusts.
	Trusts map[string]bool
	// Err says why the process could not be observed.
	Err error
}

// Pod is a pod that mounts the bundle.
type Pod struct {
	Namespace, Name string
	// Running means that the phase of the pod is Running.
	Running bool
	// At says where the pod can be observed; see charts.CertificatesAt.
	At string
}

// Cluster connects to pods.
type Cluster interface {
	// Pods lists the pods that mount the trust bundle.
	Pods(ctx context.Context) ([]Pod, error)
	// Metrics returns the metrics page that a pod serves at a port.
	Metrics(ctx context.Context, p Pod, port int) ([]byte, error)
	// Dial opens a connection to a port of a pod.
	Dial(ctx context.Context, p Pod, port int) (net.Conn, error)
}

// Observer finds out which roots each pod trusts and which certificate it presents.
type Observer struct {
	// Cluster connects to the pods.
	Cluster Cluster
	// Own is presented to servers that ask for a certificate. Otherwise they would log a failed handshake.
	Own func(ctx context.Context) (tls.Certificate, error)
	// Now returns the time.
	Now func() time.Time
}

// observeLimit is the timeout for observing one pod.
const observeLimit = 5 * time.Second

// Processes observes all pods concurrently.
func (o Observer) Processes(ctx context.Context, roots []*x509.Certificate) ([]Process, error) {
	pods, err := o.Cluster.Pods(ctx)
	if err != nil {
		return nil, err
	}
	all := make([]Process, len(pods))
	var observing sync.WaitGroup
	for i, p := range pods {
		observing.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, observeLimit)
			defer cancel()
			seen, err := o.observe(ctx, p, roots)
			seen.Pod, seen.Err = p.Namespace+"/"+p.Name, err
			all[i] = seen
		})
	}
	observing.Wait()
	return all, nil
}

// observe observes a pod at each of its places. The first one shows the roots that it trusts; all must show the same certificate.
func (o Observer) observe(ctx context.Context, p Pod, roots []*x509.Certificate) (Process, error) {
	if !p.Running {
		return Process{}, errors.New("it is not running")
	}
	places := strings.Split(p.At, ",")
	first, err := o.observeAt(ctx, p, places[0], roots)
	if err != nil {
		return Process{}, err
	}
	for _, at := range places[1:] {
		other, err := o.observeAt(ctx, p, at, roots)
		if err != nil {
			return Process{}, err
		}
		if other.Presents != first.Presents {
			return Process{}, fmt.Errorf("it presents another certificate at %s than at %s", at, places[0])
		}
	}
	return first, nil
}

func (o Observer) observeAt(ctx context.Context, p Pod, at string, roots []*x509.Certificate) (Process, error) {
	protocol, text, _ := strings.Cut(at, ":")
	port, err := strconv.Atoi(text)
	if err != nil {
		return Process{}, fmt.Errorf("it does not say where: its annotation is %q, want metrics:PORT, tls:PORT or postgres:PORT", p.At)
	}
	switch protocol {
	case "metrics":
		data, err := o.Cluster.Metrics(ctx, p, port)
		if err != nil {
			return Process{}, err
		}
		return reported(data)
	case "tls", "postgres":
		conn, err := o.Cluster.Dial(ctx, p, port)
		if err != nil {
			return Process{}, err
		}
		defer conn.Close()
		own, err := o.Own(ctx)
		if err != nil {
			return Process{}, err
		}
		return shown(ctx, conn, protocol, own, roots, o.Now())
	}
	return Process{}, fmt.Errorf("it names protocol %q, want metrics, tls or postgres", protocol)
}

// reported reads the metrics of services/governance.
func reported(data []byte) (Process, error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(data))
	if err != nil {
		return Process{}, fmt.Errorf("reading its metrics: %w", err)
	}
	p := Process{Trusts: map[string]bool{}}
	for _, m := range families["sandbox_tls_trusted_root"].GetMetric() {
		for _, l := range m.GetLabel() {
			p.Trusts[l.GetValue()] = true
		}
	}
	series := families["sandbox_tls_certificate"].GetMetric()
	// There are two series while the process changes from one certificate to the next.
	if len(series) != 1 || len(p.Trusts) == 0 {
		return Process{}, fmt.Errorf("it reports %d certificates and %d roots", len(series), len(p.Trusts))
	}
	for _, l := range series[0].GetLabel() {
		switch l.GetName() {
		case "fingerprint":
			p.Presents = l.GetValue()
		case "root":
			p.Root = l.GetValue()
		}
	}
	return p, nil
}

// sslRequest is what a PostgreSQL client sends before a TLS handshake: its length, and a code in place of a version.
var sslRequest = []byte{0, 0, 0, 8, 4, 210, 22, 47}

// shown makes a TLS handshake. The server presents its chain, and names the subjects of the roots whose clients it accepts. Each of our roots has a
// different subject.
func shown(ctx context.Context, conn net.Conn, protocol string, own tls.Certificate, roots []*x509.Certificate, now time.Time) (Process, error) {
	if protocol == "postgres" {
		answer := make([]byte, 1)
		stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
		defer stop()
		if _, err := conn.Write(sslRequest); err != nil {
			return Process{}, err
		}
		if _, err := conn.Read(answer); err != nil {
			return Process{}, err
		}
		if answer[0] != 'S' {
			return Process{}, errors.New("it does not speak TLS")
		}
	}
	var accepted [][]byte
	config := &tls.Config{
		MinVersion:         tls.VersionTLS13,
		InsecureSkipVerify: true, //nolint:gosec // the certificate is inspected, not trusted
		GetClientCertificate: func(asked *tls.CertificateRequestInfo) (*tls.Certificate, error) {
			accepted = asked.AcceptableCAs
			return &own, nil
		},
	}
	if protocol == "tls" {
		config.NextProtos = []string{"h2"}
	}
	client := tls.Client(conn, config)
	if err := client.HandshakeContext(ctx); err != nil {
		return Process{}, fmt.Errorf("making a TLS handshake: %w", err)
	}
	defer client.Close()
	chain := client.ConnectionState().PeerCertificates
	p := Process{Presents: Fingerprint(chain[0]), Trusts: map[string]bool{}}
	for _, r := range roots {
		for _, subject := range accepted {
			if bytes.Equal(subject, r.RawSubject) {
				p.Trusts[Fingerprint(r)] = true
			}
		}
		if p.Root == "" && checkChain(chain, []*x509.Certificate{r}, now) == nil {
			p.Root = Fingerprint(r)
		}
	}
	return p, nil
}
