package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/grpc-sandbox/sandbox/charts"
	"github.com/grpc-sandbox/sandbox/sandbox/live"
)

// fakeCluster is an API server that serves GET requests from the files of a folder and refuses, but records, all others.
type fakeCluster struct {
	folder string
	// secret is the Secret with the certificate of this machine.
	secret []byte
	// bundle is the trust bundle.
	bundle []byte

	mu      sync.Mutex
	changes []string
}

type fakeClusterKey struct{}

// startCluster creates the files and the API server of a sandbox that is up: cluster FOLDER.
func startCluster(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: cluster FOLDER")
	}
	secret, bundle, err := certificateObjects()
	ts.Check(err)
	c := &fakeCluster{folder: ts.MkAbs(args[0]), secret: secret, bundle: bundle}
	server := httptest.NewServer(c)
	ts.Defer(server.Close)
	ts.Value(fakeClusterKey{}).(*fakeClusters).last = c
	home := filepath.Join(ts.Getenv("HOME"), ".config", "sandbox", "sandbox")
	ts.Check(os.MkdirAll(home, 0o700))
	ts.Check(os.WriteFile(filepath.Join(home, "state.json"), []byte(`{"engine":"podman","created":"2030-01-02T03:04:05Z"}`), 0o600))
	ts.Check(os.WriteFile(filepath.Join(home, "kubeconfig"), fmt.Appendf(nil, `apiVersion: v1
kind: Config
current-context: kind-sandbox
clusters: [{name: kind-sandbox, cluster: {server: %q}}]
contexts: [{name: kind-sandbox, context: {cluster: kind-sandbox}}]
`, server.URL), 0o600))
}

// fakeClusters refers to the cluster that a script has started last.
type fakeClusters struct{ last *fakeCluster }

// unchanged checks that the cluster has received no request to change anything.
func unchanged(ts *testscript.TestScript, neg bool, _ []string) {
	c := ts.Value(fakeClusterKey{}).(*fakeClusters).last
	c.mu.Lock()
	defer c.mu.Unlock()
	if neg || len(c.changes) > 0 {
		ts.Fatalf("the cluster received requests to change: %q", c.changes)
	}
}

func (c *fakeCluster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasSuffix(r.URL.Path, "/portforward") {
		http.Error(w, "nothing listens in this cluster", http.StatusNotFound)
		return
	}
	if r.Method != http.MethodGet && r.URL.Query().Get("dryRun") == "" {
		c.mu.Lock()
		c.changes = append(c.changes, r.Method+" "+r.URL.Path)
		c.mu.Unlock()
		http.Error(w, "this cluster is read-only", http.StatusForbidden)
		return
	}
	if r.URL.Path == "/api/v1/namespaces/shop/secrets/"+live.Account+"-tls" {
		writeAnswer(w, c.secret)
		return
	}
	if r.URL.Path == "/api/v1/namespaces/shop/configmaps/"+charts.TrustBundle {
		writeAnswer(w, c.bundle)
		return
	}
	name := filepath.Join(c.folder, filepath.FromSlash(r.URL.Path))
	if text, err := os.ReadFile(name); err == nil {
		_, _ = w.Write(text)
		return
	}
	data, err := os.ReadFile(name + ".json")
	if err == nil {
		data, err = selected(data, r.URL.Query().Get("labelSelector"))
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	writeAnswer(w, data)
}

func writeAnswer(w http.ResponseWriter, data []byte) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(data)
}

// selected returns a list with only the items that match a label selector.
func selected(data []byte, selector string) ([]byte, error) {
	wanted, err := labels.Parse(selector)
	if err != nil || selector == "" {
		return data, err
	}
	var list unstructured.UnstructuredList
	if err := list.UnmarshalJSON(data); err != nil {
		return nil, err
	}
	var items []unstructured.Unstructured
	for _, i := range list.Items {
		if wanted.Matches(labels.Set(i.GetLabels())) {
			items = append(items, i)
		}
	}
	list.Items = items
	return list.MarshalJSON()
}

// certificateObjects returns a Secret with a self-signed certificate for this machine, and a bundle that trusts it.
func certificateObjects() (secret, bundle []byte, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, nil, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, err
	}
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	secret, err = json.Marshal(corev1.Secret{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: live.Account + "-tls"},
		Data:       map[string][]byte{"tls.crt": certificate, "tls.key": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})},
	})
	if err != nil {
		return nil, nil, err
	}
	bundle, err = json.Marshal(corev1.ConfigMap{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: charts.TrustBundle}, Data: map[string]string{"ca.crt": string(certificate)},
	})
	return secret, bundle, err
}
