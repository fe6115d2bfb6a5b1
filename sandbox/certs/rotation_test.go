package certs

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
)

func decode(text []byte) []byte {
	b, _ := pem.Decode(text)
	return b.Bytes
}

// settled fails if anything of the old root is left, or if a process ever refused another.
func (w *world) settled(old *x509.Certificate) {
	w.t.Helper()
	// The world goes on.
	w.mu.Lock()
	defer w.mu.Unlock()
	a, err := ParseAuthority(w.stored, "")
	w.must(err)
	switch {
	case a.Stage() != Steady:
		w.t.Errorf("the stage is %s", a.Stage())
	case a.Issuing.Cert.Equal(old):
		w.t.Error("the old root still signs")
	case !a.SameBundle(w.bundle):
		w.t.Error("the bundle is not that of the authority")
	}
	for _, p := range w.processes {
		if len(p.roots) != 1 || !p.roots[0].Equal(a.Issuing.Cert) || checkChain(p.chain, p.roots, time.Now()) != nil {
			w.t.Errorf("%s does not present and trust the new root alone", p.name)
		}
	}
	for _, v := range w.violations {
		w.t.Error(v)
		break
	}
}

func (w *world) issuing() *x509.Certificate {
	a, err := ParseAuthority(w.stored, "")
	w.must(err)
	return a.Issuing.Cert
}

func TestRotate_NoProcessEverRefusesAnother(t *testing.T) {
	for seed := range uint64(6) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, seed)
			defer w.live()()
			for range 2 {
				old := w.issuing()
				w.must(w.rotation().Rotate(t.Context()))
				w.settled(old)
			}
		})
	}
}

// TestRotate_ContinuesAfterAKillAnywhere kills the rotation at each of its calls in turn, in half of the cases after the call took effect, and
// restarts it.
func TestRotate_ContinuesAfterAKillAnywhere(t *testing.T) {
	killed := true
	for at := 1; killed; at++ {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, 7)
			defer w.live()()
			old := w.issuing()
			w.killAt = at
			err := w.rotation().Rotate(t.Context())
			if killed = errors.Is(err, errKilled); !killed {
				w.must(err)
				w.settled(old)
				return
			}
			w.must(w.rotation().Rotate(t.Context()))
			w.settled(old)
		})
	}
}

func TestResume_DoesNothingInASteadySandbox(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		before := w.issuing()
		w.must(w.rotation().Resume(t.Context()))
		if !w.issuing().Equal(before) || w.calls != 1 {
			t.Errorf("%d calls", w.calls)
		}
	})
}

func TestRotate_NamesTheProcessItWaitsFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// The world does not advance.
		w := newWorld(t, 1)
		err := w.rotation().Rotate(t.Context())
		if err == nil || !strings.Contains(err.Error(), "shop/service0 does not trust the new root yet, and 3 more") || len(remedy.Of(err)) == 0 {
			t.Errorf("got %v, remedies %v", err, remedy.Of(err))
		}
		r := w.rotation()
		r.Processes = func(context.Context, []*x509.Certificate) ([]Process, error) {
			return []Process{{Pod: "shop/mine", Err: errors.New("it does not say where")}}, nil
		}
		if err := r.Resume(t.Context()); err == nil || !strings.Contains(err.Error(), "shop/mine cannot be observed: it does not say where") {
			t.Errorf("got %v", err)
		}
	})
}

func TestRenew_IntermediateWithANewKeyChangesNoTrust(t *testing.T) {
	for seed := range uint64(10) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, seed)
			defer w.live()()
			root, key := w.issuing(), w.intermediate.key
			all, err := w.Certificates(t.Context())
			w.must(err)
			first := w.processes[0].chain[0]
			w.must(w.rotation().Renew(t.Context(), all))
			if w.intermediate.key.Equal(key) || !w.issuing().Equal(root) {
				t.Error("the intermediate's key is the same, or the root another")
			}
			for _, p := range w.processes {
				if p.chain[0].Equal(first) {
					t.Error("a process presents its old certificate")
				}
			}
			for _, v := range w.violations {
				t.Fatal(v)
			}
		})
	}
}

func TestRepair_ReissuesRefusedCertificates(t *testing.T) {
	for name, breakIt := range map[string]func(w *world){
		"the root was replaced by hand": func(w *world) {
			a, err := NewRoot(time.Now())
			w.must(err)
			w.stored = Authority{Issuing: a}.Data()
			w.bundle = a.CertPEM
		},
		"every workload's certificate has expired": func(*world) { time.Sleep(2 * time.Hour) },
		"the intermediate was renewed and lost": func(w *world) {
			w.certificates[0].Chain = nil
			w.pending["cert-manager/intermediate"] = time.Now().Add(time.Minute)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 3)
				breakIt(w)
				defer w.live()()
				w.must(w.rotation().Repair(t.Context(), func(string) {}))
				roots, err := Parse(w.bundle)
				w.must(err)
				for _, c := range w.certificates {
					if _, err := c.Check(roots, time.Now()); err != nil {
						t.Errorf("%s: %v", c, err)
					}
				}
			})
		})
	}
}
