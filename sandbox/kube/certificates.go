package kube

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
)

var certificateResource = schema.GroupVersionResource{Group: "cert-manager.io", Version: "v1", Resource: "certificates"}

// Certificate is one cert-manager Certificate.
type Certificate struct {
	Namespace, Name string
	// Issuer is the ClusterIssuer that signs it, or empty for an Issuer of its own namespace.
	Issuer string
	// Authority is true if the certificate signs others.
	Authority bool
	// Secret is where the issued certificate is stored.
	Secret string
	// Issued is the content of the Secret: the chain as PEM. It is empty until the certificate is issued.
	Issued []byte
	// Ready is the status of the condition of that name.
	Ready bool
	// Why is the message of the condition if the certificate is not ready.
	Why string
	// NotBefore and NotAfter are the validity period in the status; zero until the certificate is issued.
	NotBefore time.Time
	NotAfter  time.Time
}

// issuedSelector selects by the label that cert-manager sets on each Secret it writes.
const issuedSelector = "controller.cert-manager.io/fao=true"

// Certificates lists the certificates of all namespaces, each with the issued chain.
func (c *Client) Certificates(ctx context.Context) ([]Certificate, error) {
	list, err := c.Dynamic.Resource(certificateResource).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("listing certificates: %w", err)
	}
	secrets, err := c.Kube.CoreV1().Secrets("").List(ctx, metav1.ListOptions{LabelSelector: issuedSelector})
	if err != nil {
		return nil, fmt.Errorf("listing certificates: %w", err)
	}
	issued := map[string][]byte{}
	for _, s := range secrets.Items {
		issued[s.Namespace+"/"+s.Name] = s.Data["tls.crt"]
	}
	var all []Certificate
	for _, item := range list.Items {
		cert := certificate(item)
		cert.Issued = issued[cert.Namespace+"/"+cert.Secret]
		all = append(all, cert)
	}
	return all, nil
}

func certificate(u unstructured.Unstructured) Certificate {
	cert := Certificate{Namespace: u.GetNamespace(), Name: u.GetName(), Why: "not issued yet"}
	cert.Secret, _, _ = unstructured.NestedString(u.Object, "spec", "secretName")
	cert.Authority, _, _ = unstructured.NestedBool(u.Object, "spec", "isCA")
	if kind, _, _ := unstructured.NestedString(u.Object, "spec", "issuerRef", "kind"); kind == "ClusterIssuer" {
		cert.Issuer, _, _ = unstructured.NestedString(u.Object, "spec", "issuerRef", "name")
	}
	conditions, _, _ := unstructured.NestedSlice(u.Object, "status", "conditions")
	for _, c := range conditions {
		condition, ok := c.(map[string]any)
		if !ok || condition["type"] != "Ready" {
			continue
		}
		cert.Ready = condition["status"] == "True"
		cert.Why, _ = condition["message"].(string)
	}
	if cert.Ready {
		cert.Why = ""
	}
	cert.NotBefore, cert.NotAfter = moment(u, "notBefore"), moment(u, "notAfter")
	return cert
}

// moment reads a time of the status. It is zero if there is none.
func moment(u unstructured.Unstructured, field string) time.Time {
	text, _, _ := unstructured.NestedString(u.Object, "status", field)
	t, _ := time.Parse(time.RFC3339, text)
	return t
}

// CanIssue returns an error if cert-manager's webhook does not admit a new issuer. It is a dry run and creates nothing.
func (c *Client) CanIssue(ctx context.Context) error {
	probe := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "cert-manager.io/v1", "kind": "ClusterIssuer", "metadata": map[string]any{"name": "sandbox-probe"},
		"spec": map[string]any{"selfSigned": map[string]any{}},
	}}
	_, err := c.Dynamic.Resource(certificateResource.GroupVersion().WithResource("clusterissuers")).
		Create(ctx, probe, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	if err != nil {
		return fmt.Errorf("checking cert-manager's webhook: %w", err)
	}
	return nil
}

// Renew makes cert-manager issue a certificate again, as `cmctl renew` does.
func (c *Client) Renew(ctx context.Context, namespace, name string) error {
	resource := c.Dynamic.Resource(certificateResource).Namespace(namespace)
	u, err := resource.Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("renewing certificate %s: %w", name, err)
	}
	conditions, _, err := unstructured.NestedSlice(u.Object, "status", "conditions")
	if err != nil {
		return fmt.Errorf("renewing certificate %s: %w", name, err)
	}
	// A condition type may occur only once.
	conditions = slices.DeleteFunc(conditions, func(c any) bool {
		old, ok := c.(map[string]any)
		return ok && old["type"] == "Issuing"
	})
	conditions = append(conditions, map[string]any{
		"type": "Issuing", "status": "True", "reason": "ManuallyTriggered", "message": "renewal asked for by sandbox",
		"lastTransitionTime": time.Now().UTC().Format(time.RFC3339),
	})
	if err := unstructured.SetNestedSlice(u.Object, conditions, "status", "conditions"); err != nil {
		return err
	}
	if _, err := resource.UpdateStatus(ctx, u, metav1.UpdateOptions{}); err != nil {
		return fmt.Errorf("renewing certificate %s: %w", name, err)
	}
	return nil
}

// Identity returns the TLS settings of a client that has the certificate in a Secret: its key pair, and the roots in the trust bundle of the
// namespace. It does not trust the ca.crt of the Secret, because cert-manager never updates it.
func (c *Client) Identity(ctx context.Context, namespace, secret string) (*tls.Config, error) {
	pair, err := c.KeyPair(ctx, namespace, secret)
	if err != nil {
		return nil, err
	}
	bundle, err := c.TrustBundle(ctx, namespace)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(bundle) {
		return nil, remedy.New("reading the trust bundle of namespace "+namespace+": it has no certificate", remedy.Command("up"))
	}
	return &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{pair}, RootCAs: pool}, nil
}

// KeyPair returns the certificate in a Secret, with its chain and its key.
func (c *Client) KeyPair(ctx context.Context, namespace, secret string) (tls.Certificate, error) {
	s, err := c.Kube.CoreV1().Secrets(namespace).Get(ctx, secret, metav1.GetOptions{})
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("reading the certificate in secret %s: %w", secret, err)
	}
	pair, err := tls.X509KeyPair(s.Data["tls.crt"], s.Data["tls.key"])
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("reading the certificate in secret %s: %w", secret, err)
	}
	return pair, nil
}
