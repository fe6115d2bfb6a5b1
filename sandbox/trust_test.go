package sandbox

import (
	"context"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/grpc-sandbox/sandbox/charts"
	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox/certs"
	"github.com/grpc-sandbox/sandbox/sandbox/cluster"
	"github.com/grpc-sandbox/sandbox/sandbox/fixture"
	"github.com/grpc-sandbox/sandbox/sandbox/kube"
)

func rootSecret(name string, a certs.Authority) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: charts.CertNamespace, Name: name, ResourceVersion: "1"}, Data: a.Data()}
}

func bundleIn(namespace string, roots ...certs.Root) *corev1.ConfigMap {
	text := ""
	for _, r := range roots {
		text += string(r.CertPEM)
	}
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: charts.TrustBundle, Labels: map[string]string{"sandbox.dev/trust": "bundle"}},
		Data: map[string]string{"ca.crt": text}}
}

func newRoot(t *testing.T) certs.Root {
	t.Helper()
	r, err := certs.NewRoot(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestEnsureTrust_KeepsMountedRootsTrusted(t *testing.T) {
	mine, other := newRoot(t), newRoot(t)
	for name, c := range map[string]struct {
		objects []runtime.Object
		// If adopted is false, the bundle also has other roots.
		trusted []certs.Root
		stage   certs.Stage
		// signs is nil for a new root.
		signs *certs.Root
		note  string
	}{
		"a new sandbox": {stage: certs.Steady},
		"a sandbox that is up": {objects: []runtime.Object{rootSecret(charts.RootSecret, certs.Authority{Issuing: mine}), bundleIn("shop", mine)},
			trusted: []certs.Root{mine}, stage: certs.Steady, signs: &mine},
		"a bundle that was changed by hand": {objects: []runtime.Object{rootSecret(charts.RootSecret, certs.Authority{Issuing: mine}), bundleIn("shop", other)},
			trusted: []certs.Root{mine}, stage: certs.Steady, signs: &mine},
		"a rotation that was interrupted": {objects: []runtime.Object{rootSecret(charts.RootSecret, certs.Authority{Issuing: mine, Next: &other}), bundleIn("shop", mine)},
			trusted: []certs.Root{mine, other}, stage: certs.Introducing, signs: &mine},
		"a sandbox of an earlier version": {objects: []runtime.Object{rootSecret("sandbox-ca", certs.Authority{Issuing: mine})},
			trusted: []certs.Root{mine}, stage: certs.Steady, signs: &mine, note: "kept the existing certificate authority as the root"},
		"a root that was lost": {objects: []runtime.Object{bundleIn("shop", mine), bundleIn("user-made", mine)},
			trusted: []certs.Root{mine}, stage: certs.Switching, note: "the root was lost"},
	} {
		t.Run(name, func(t *testing.T) {
			var notes []string
			client := &kube.Client{Kube: fake.NewClientset(c.objects...)}
			u := &up{client: client, rec: newRecorder(func(p Progress) { notes = append(notes, p.Note) })}
			// The second run changes nothing.
			for range 2 {
				if err := u.ensureTrust(t.Context(), nil); err != nil {
					t.Fatal(err)
				}
			}
			a, err := pki{client}.Load(t.Context())
			if err != nil || a.Stage() != c.stage || c.signs != nil && !a.Issuing.Cert.Equal(c.signs.Cert) {
				t.Fatalf("stage %s, %v, signs with %s", a.Stage(), err, a.Issuing.Cert.Subject)
			}
			bundles, err := client.TrustBundles(t.Context())
			if err != nil || len(bundles) < 2 {
				t.Fatalf("bundles %v, %v", bundles, err)
			}
			for namespace, b := range bundles {
				if !a.SameBundle(b) {
					t.Errorf("namespace %s has another bundle", namespace)
				}
				for _, r := range c.trusted {
					if !strings.Contains(string(b), string(r.CertPEM)) {
						t.Errorf("namespace %s does not trust %s", namespace, r.Cert.Subject)
					}
				}
			}
			if _, extra := bundles[charts.CertNamespace]; extra {
				t.Error("nothing mounts a bundle in cert-manager's namespace")
			}
			if all := strings.Join(notes, "\n"); !strings.Contains(all, c.note) {
				t.Errorf("notes %q", all)
			}
		})
	}
}

func TestEnsureTrust_DamagedRootHasARemedy(t *testing.T) {
	s := rootSecret(charts.RootSecret, certs.Authority{Issuing: newRoot(t)})
	s.Data["tls.key"] = []byte("x")
	u := &up{client: &kube.Client{Kube: fake.NewClientset(s)}, rec: newRecorder(nil), cluster: cluster.Cluster{Kubeconfig: "/demo/kubeconfig"}}
	err := u.ensureTrust(t.Context(), nil)
	if err == nil || len(remedy.Of(err)) != 2 {
		t.Fatalf("got %v, remedies %v", err, remedy.Of(err))
	}
	fixture.WantError(t, err, "try: kubectl --kubeconfig /demo/kubeconfig -n cert-manager delete secret "+charts.RootSecret, "try: sandbox up")
}

func TestRotateRoot_NeedsAnAuthority(t *testing.T) {
	_, err := pki{&kube.Client{Kube: fake.NewClientset()}}.Load(context.Background())
	if err == nil || len(remedy.Of(err)) != 1 {
		t.Errorf("got %v, remedies %v", err, remedy.Of(err))
	}
}

func TestJudgeCertificate_ReasonsNotToTrust(t *testing.T) {
	now := time.Now()
	signs, foreign := newRoot(t), newRoot(t)
	mounted := map[string][]byte{"shop": signs.CertPEM, "system": signs.CertPEM}
	// A root stands for any issued certificate. Package certs tests chains.
	mine := kube.Certificate{Namespace: "shop", Name: "a", Issuer: charts.IntermediateIssuer, Issued: signs.CertPEM}
	for name, c := range map[string]struct {
		edit    func(c *kube.Certificate)
		bundles map[string][]byte
		after   time.Duration
		why     string
	}{
		"good": {},
		"good, though cert-manager calls it unready":          {edit: func(c *kube.Certificate) { c.Why = "renewing" }},
		"ready, and issued under a root that nothing trusts":  {edit: func(c *kube.Certificate) { c.Ready, c.Issued = true, foreign.CertPEM }, why: "not issued under a trusted root"},
		"ready, and expired":                                  {edit: func(c *kube.Certificate) { c.Ready = true }, after: 20 * 365 * 24 * time.Hour, why: "expired at"},
		"not issued":                                          {edit: func(c *kube.Certificate) { c.Issued, c.Why = nil, "issuer not ready" }, why: "not issued: issuer not ready"},
		"no bundle in its namespace, as for the intermediate": {edit: func(c *kube.Certificate) { c.Namespace = "cert-manager" }},
		"one of the namespaces does not trust the intermediate": {edit: func(c *kube.Certificate) { c.Namespace = "cert-manager" },
			bundles: map[string][]byte{"shop": signs.CertPEM, "system": foreign.CertPEM}, why: "not issued under a trusted root"},
		"a user's own, of another issuer": {edit: func(c *kube.Certificate) { c.Issuer, c.Issued = "lets-encrypt", foreign.CertPEM }},
	} {
		t.Run(name, func(t *testing.T) {
			one, bundles := mine, mounted
			if c.edit != nil {
				c.edit(&one)
			}
			if c.bundles != nil {
				bundles = c.bundles
			}
			got := judgeCertificate(one, bundles, now.Add(c.after))
			if (got.Why == "") != (c.why == "") || !strings.HasPrefix(got.Why, c.why) {
				t.Errorf("got %q, want %q", got.Why, c.why)
			}
		})
	}
}

func TestPick_ByNameWithOrWithoutNamespace(t *testing.T) {
	all := []certs.Certificate{{Namespace: "shop", Name: "a"}, {Namespace: "system", Name: "b"}}
	for want, names := range map[string][]string{"shop/a system/b": nil, "shop/a": {"a", "shop/a"}, "system/b": {"system/b"}} {
		got, err := pick(all, names)
		var texts []string
		for _, c := range got {
			texts = append(texts, c.String())
		}
		if err != nil || strings.Join(texts, " ") != want {
			t.Errorf("%q picks %q, %v", names, texts, err)
		}
	}
	if _, err := pick(all, []string{"shop/b"}); err == nil || len(remedy.Of(err)) == 0 {
		t.Errorf("got %v", err)
	}
}
