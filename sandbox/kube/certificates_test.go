package kube

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/grpc-sandbox/sandbox/sandbox/fixture"
)

func certificateWith(status map[string]any) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "cert-manager.io/v1", "kind": "Certificate", "metadata": map[string]any{"namespace": "shop", "name": "thing"}, "status": status,
		"spec": map[string]any{"secretName": "thing-tls", "isCA": true, "issuerRef": map[string]any{"kind": "ClusterIssuer", "name": "sandbox-root"}},
	}}
}

func condition(kind, status, message string) map[string]any {
	return map[string]any{"type": kind, "status": status, "message": message}
}

func dynamicWith(objects ...runtime.Object) *Client {
	kinds := map[schema.GroupVersionResource]string{certificateResource: "CertificateList"}
	issued := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "thing-tls", Labels: map[string]string{"controller.cert-manager.io/fao": "true"}},
		Data: map[string][]byte{"tls.crt": []byte("chain")}}
	return &Client{Kube: fake.NewClientset(issued), Dynamic: dynamicfake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), kinds, objects...)}
}

func TestCertificates_ReadinessAndReason(t *testing.T) {
	for _, c := range []struct {
		sentence string
		status   map[string]any
		want     Certificate
	}{
		{"an issued certificate", map[string]any{"conditions": []any{condition("Ready", "True", "up to date")}, "notAfter": "2030-01-02T03:04:05Z"},
			Certificate{Ready: true, NotAfter: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)}},
		{"a certificate that is not issued has a reason", map[string]any{"conditions": []any{condition("Ready", "False", "issuer not ready")}}, Certificate{Why: "issuer not ready"}},
		{"one without a status", map[string]any{}, Certificate{Why: "not issued yet"}},
		{"only the condition Ready counts", map[string]any{"conditions": []any{condition("Issuing", "True", "renewing"), condition("Ready", "True", "")}}, Certificate{Ready: true}},
		{"another condition alone is not ready", map[string]any{"conditions": []any{condition("Issuing", "True", "renewing")}}, Certificate{Why: "not issued yet"}},
		{"an unreadable condition is skipped", map[string]any{"conditions": []any{"odd"}}, Certificate{Why: "not issued yet"}},
	} {
		got, err := dynamicWith(certificateWith(c.status)).Certificates(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		c.want.Namespace, c.want.Name, c.want.Issuer, c.want.Authority = "shop", "thing", "sandbox-root", true
		c.want.Secret, c.want.Issued = "thing-tls", []byte("chain")
		if diff := cmp.Diff([]Certificate{c.want}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.sentence, diff)
		}
	}
}

func TestRenew_SetsTheIssuingCondition(t *testing.T) {
	for _, c := range []struct {
		sentence   string
		conditions []any
	}{
		{"a certificate that is ready stays ready while it is renewed", []any{condition("Ready", "True", "")}},
		{"an earlier try that failed is replaced, because a type may occur only once", []any{condition("Issuing", "False", "failed"), condition("Ready", "True", "")}},
		{"a certificate without conditions gets its first", nil},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			status := map[string]any{}
			if c.conditions != nil {
				status["conditions"] = c.conditions
			}
			client := dynamicWith(certificateWith(status))
			if err := client.Renew(t.Context(), "shop", "thing"); err != nil {
				t.Fatal(err)
			}
			u, err := client.Dynamic.Resource(certificateResource).Namespace("shop").Get(t.Context(), "thing", metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			conditions, _, _ := unstructured.NestedSlice(u.Object, "status", "conditions")
			seen := map[any]any{}
			for _, one := range conditions {
				condition := one.(map[string]any)
				seen[condition["type"]] = condition["status"]
				if condition["type"] == "Issuing" && condition["reason"] != "ManuallyTriggered" {
					t.Errorf("reason %v", condition["reason"])
				}
			}
			want := map[any]any{"Issuing": "True"}
			if c.conditions != nil {
				want["Ready"] = "True"
			}
			if diff := cmp.Diff(want, seen); diff != "" || len(conditions) != len(want) {
				t.Errorf("%d conditions (-want +got):\n%s", len(conditions), diff)
			}
		})
	}
	fixture.WantError(t, dynamicWith().Renew(t.Context(), "shop", "missing"), "renewing certificate missing", "not found")
}

// pair returns a self-signed certificate and its key.
func pair(t *testing.T) (cert, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})
}

func bundleOf(text []byte) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "sandbox-trust"}, Data: map[string]string{"ca.crt": string(text)}}
}

func secretOf(data map[string][]byte) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "cli-tls"}, Data: data}
}

func TestIdentity_TrustsTheBundleOfTheNamespace(t *testing.T) {
	cert, key := pair(t)
	stale, otherKey := pair(t)
	whole := secretOf(map[string][]byte{"tls.crt": cert, "tls.key": key, "ca.crt": stale})
	for _, c := range []struct {
		sentence string
		objects  []runtime.Object
		fails    string
	}{
		{"a key pair and the namespace's bundle, not the secret's own ca.crt", []runtime.Object{whole, bundleOf(cert)}, ""},
		{"a secret without a key pair", []runtime.Object{secretOf(map[string][]byte{"ca.crt": cert}), bundleOf(cert)}, "reading the certificate in secret cli-tls"},
		{"a key of another certificate", []runtime.Object{secretOf(map[string][]byte{"tls.crt": cert, "tls.key": otherKey}), bundleOf(cert)}, "does not match"},
		{"no secret", []runtime.Object{bundleOf(cert)}, "reading the certificate in secret cli-tls"},
		{"no bundle", []runtime.Object{whole}, "reading the trust bundle of namespace shop"},
		{"an empty bundle", []runtime.Object{whole, bundleOf(nil)}, "the trust bundle of namespace shop: it has no certificate"},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			got, err := (&Client{Kube: fake.NewClientset(c.objects...)}).Identity(t.Context(), "shop", "cli-tls")
			if c.fails != "" {
				fixture.WantError(t, err, c.fails)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got.InsecureSkipVerify || got.MinVersion < 0x0304 {
				t.Errorf("skips verification %v, lowest version %x", got.InsecureSkipVerify, got.MinVersion)
			}
			for _, root := range []struct {
				pem     []byte
				trusted bool
			}{{cert, true}, {stale, false}} {
				b, _ := pem.Decode(root.pem)
				parsed, err := x509.ParseCertificate(b.Bytes)
				if err != nil {
					t.Fatal(err)
				}
				_, err = parsed.Verify(x509.VerifyOptions{Roots: got.RootCAs, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
				if (err == nil) != root.trusted {
					t.Errorf("verifying: %v; want trusted %v", err, root.trusted)
				}
			}
		})
	}
}

func TestCredentials_FollowRenewals(t *testing.T) {
	var reads int
	var fails error
	config := &tls.Config{MinVersion: tls.VersionTLS13}
	creds, err := freshCredentials(t.Context(), "thing.shop.svc", func(context.Context) (*tls.Config, error) { reads++; return config.Clone(), fails })
	if err != nil {
		t.Fatal(err)
	}
	asked := func() string {
		t.Helper()
		near, far := net.Pipe()
		defer near.Close()
		hello := make(chan string, 1)
		go func() {
			defer far.Close()
			name := ""
			_ = tls.Server(far, &tls.Config{GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) {
				name = h.ServerName
				return nil, errors.New("enough")
			}}).Handshake()
			hello <- name
		}()
		if _, _, err := creds.Clone().ClientHandshake(t.Context(), "other", near); err == nil {
			t.Error("a server that gives up was accepted")
		}
		return <-hello
	}
	if got := asked(); got != "thing.shop.svc" || reads != 2 {
		t.Errorf("asked for %q after %d reads", got, reads)
	}
	fails = errors.New("the API server is away")
	if got := asked(); got != "thing.shop.svc" || reads != 3 {
		t.Errorf("without the API server it asked for %q after %d reads", got, reads)
	}
	if _, err := freshCredentials(t.Context(), "x", func(context.Context) (*tls.Config, error) { return nil, fails }); err == nil {
		t.Error("credentials that were never read")
	}
}
