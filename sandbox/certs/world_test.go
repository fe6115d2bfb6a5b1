package certs

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	crand "crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/grpc-sandbox/sandbox/internal/pause"
)

// world is a sandbox with realistic delays: cert-manager issues after some seconds, and sometimes with an intermediate that it read before. Each
// process mounts the bundle and its certificate at its own time, both at once. After each change the world checks that every process accepts every
// other.
type world struct {
	t      *testing.T
	random *rand.Rand

	mu      sync.Mutex
	stored  map[string][]byte
	version int
	bundle  []byte
	// pending is when each certificate will be issued.
	pending      map[string]time.Time
	intermediate signer
	// stale is the signer that cert-manager may still use.
	stale        *signer
	certificates []Certificate
	processes    []mounted
	serial       int64
	violations   []string

	// killAt is the call that does not return; 0 for none.
	calls, killAt int
}

type signer struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// mounted is what a process has read.
type mounted struct {
	name  string
	roots []*x509.Certificate
	chain []*x509.Certificate
}

var errKilled = errors.New("killed")

func newWorld(t *testing.T, seed uint64) *world {
	w := &world{t: t, random: rand.New(rand.NewPCG(seed, 1)), pending: map[string]time.Time{}}
	a, err := Establish(time.Now(), Found{})
	w.must(err)
	w.stored, w.bundle = a.Data(), Encode(a.Bundle())
	w.certificates = []Certificate{{Namespace: "cert-manager", Name: "intermediate", Authority: true}}
	w.issue(0)
	for i := range 4 {
		w.certificates = append(w.certificates, Certificate{Namespace: "shop", Name: fmt.Sprint("service", i)})
		w.issue(i + 1)
		w.processes = append(w.processes, mounted{name: fmt.Sprint("service", i)})
		w.mount(i)
	}
	return w
}

func (w *world) must(err error) {
	if err != nil {
		w.t.Fatal(err)
	}
}

// issue does what cert-manager does with certificate i.
func (w *world) issue(i int) {
	w.serial++
	c := &w.certificates[i]
	key, err := ecdsa.GenerateKey(elliptic.P256(), crand.Reader)
	w.must(err)
	template := &x509.Certificate{SerialNumber: big.NewInt(w.serial), Subject: pkix.Name{CommonName: c.Name},
		NotBefore: time.Now(), NotAfter: time.Now().Add(time.Hour)}
	by := w.intermediate
	if c.Authority {
		template.IsCA, template.BasicConstraintsValid, template.NotAfter = true, true, time.Now().Add(8760*time.Hour)
		a, err := ParseAuthority(w.stored, "")
		w.must(err)
		rootKey, err := x509.ParsePKCS8PrivateKey(decode(a.Issuing.KeyPEM))
		w.must(err)
		by = signer{a.Issuing.Cert, rootKey.(*ecdsa.PrivateKey)}
	} else if w.stale != nil && w.random.IntN(2) == 0 {
		by = *w.stale
	}
	der, err := x509.CreateCertificate(crand.Reader, template, by.cert, &key.PublicKey, by.key)
	w.must(err)
	cert, err := x509.ParseCertificate(der)
	w.must(err)
	if c.Authority {
		if w.intermediate.cert != nil {
			old := w.intermediate
			w.stale = &old
		}
		w.intermediate = signer{cert, key}
		c.Chain = Encode([]*x509.Certificate{cert})
		return
	}
	c.Chain = Encode([]*x509.Certificate{cert, by.cert})
}

// mount makes process i read the current files, as services/governance does: all or nothing.
func (w *world) mount(i int) {
	p := &w.processes[i]
	roots, err := Parse(w.bundle)
	w.must(err)
	chain, err := Parse(w.certificates[i+1].Chain)
	w.must(err)
	if checkChain(chain, roots, time.Now()) == nil {
		p.roots, p.chain = roots, chain
	}
}

// tick advances the world by a few seconds.
func (w *world) tick() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, c := range w.certificates {
		if at, asked := w.pending[c.String()]; asked && !time.Now().Before(at) {
			delete(w.pending, c.String())
			w.issue(i)
		}
	}
	for i := range w.processes {
		if w.random.IntN(15) == 0 {
			w.mount(i)
		}
	}
	if w.random.IntN(10) == 0 {
		w.stale = nil
	}
	for _, server := range w.processes {
		for _, client := range w.processes {
			if err := checkChain(server.chain, client.roots, time.Now()); err != nil {
				w.violations = append(w.violations, fmt.Sprintf("%s does not accept %s: %v", client.name, server.name, err))
			}
		}
	}
}

// live runs the world until stop is called.
func (w *world) live() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var living sync.WaitGroup
	living.Go(func() {
		_ = pause.Every(ctx, time.Second, func(context.Context) error {
			w.tick()
			return nil
		})
	})
	return func() { cancel(); living.Wait() }
}

// call counts a call. The one at killAt never returns to the rotation; if late is true, it takes effect first.
func (w *world) call(effect func()) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls++
	late := w.calls%2 == 0
	if w.calls == w.killAt && !late {
		return errKilled
	}
	effect()
	if w.calls == w.killAt {
		return errKilled
	}
	return nil
}

func (w *world) Load(context.Context) (a Authority, err error) {
	killed := w.call(func() { a, err = ParseAuthority(w.stored, fmt.Sprint(w.version)) })
	return a, errors.Join(err, killed)
}

func (w *world) Save(_ context.Context, a *Authority) (err error) {
	killed := w.call(func() {
		if a.Version != fmt.Sprint(w.version) {
			err = errors.New("changed by another")
			return
		}
		w.version++
		w.stored, a.Version = a.Data(), fmt.Sprint(w.version)
	})
	return errors.Join(err, killed)
}

func (w *world) Distribute(_ context.Context, bundle []byte) error {
	return w.call(func() { w.bundle = bundle })
}

func (w *world) Certificates(context.Context) (all []Certificate, err error) {
	err = w.call(func() { all = slices.Clone(w.certificates) })
	return all, err
}

func (w *world) Renew(_ context.Context, c Certificate) error {
	return w.call(func() { w.pending[c.String()] = time.Now().Add(time.Duration(w.random.IntN(5)) * time.Second) })
}

func (w *world) observe(_ context.Context, roots []*x509.Certificate) (all []Process, err error) {
	err = w.call(func() {
		for _, m := range w.processes {
			p := Process{Pod: "shop/" + m.name, Presents: Fingerprint(m.chain[0]), Trusts: map[string]bool{}}
			for _, r := range m.roots {
				p.Trusts[Fingerprint(r)] = true
			}
			for _, r := range roots {
				if checkChain(m.chain, []*x509.Certificate{r}, time.Now()) == nil {
					p.Root = Fingerprint(r)
				}
			}
			all = append(all, p)
		}
	})
	return all, err
}

func (w *world) rotation() *Rotation {
	return &Rotation{Store: w, Issuer: w, Processes: w.observe, Now: time.Now, Limit: 10 * time.Minute, Every: time.Second,
		Step: func(ctx context.Context, _ string, do func(context.Context, func(string)) error) error {
			return do(ctx, func(string) {})
		}}
}
