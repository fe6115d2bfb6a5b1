package certs

import (
	"context"
	"crypto/x509"
	"fmt"
	"time"

	"github.com/grpc-sandbox/sandbox/internal/pause"
	"github.com/grpc-sandbox/sandbox/internal/remedy"
)

// Store stores the authority and distributes the bundle.
type Store interface {
	// Load returns the stored authority.
	Load(ctx context.Context) (Authority, error)
	// Save replaces the stored authority, and sets the new version in a. It fails if the stored version has changed since a was loaded.
	Save(ctx context.Context, a *Authority) error
	// Distribute writes the bundle to the places where processes mount it.
	Distribute(ctx context.Context, bundle []byte) error
}

// Issuer is cert-manager.
type Issuer interface {
	// Certificates lists the certificates that are issued under our root, directly or not.
	Certificates(ctx context.Context) ([]Certificate, error)
	// Renew requests that a certificate is issued again. It does not wait.
	Renew(ctx context.Context, c Certificate) error
}

// Rotation replaces certificates while all processes keep calling each other.
//
// Rotate replaces the root in stages, and the stored authority names the stage:
//
//   - Introducing: the bundle contains the old root and the new one. It ends when every process reports that it trusts the new one.
//   - Switching: the issuer signs with the new root. The intermediate and then every workload's certificate are issued again. It ends when every
//     process presents one that was issued under the new root.
//   - Retiring: the bundle contains the new root alone. It ends when no process reports that it trusts the old one.
//
// At any moment every process trusts the root of the certificate that any other process presents. No stage ends after a fixed time. Each may be
// repeated, so a rotation that was killed at any point continues with Resume, or with the next Rotate.
type Rotation struct {
	// Store keeps the authority, and Issuer issues certificates under it.
	Store  Store
	Issuer Issuer
	// Processes observes every process that trusts the bundle. It reports roots among those given.
	Processes func(ctx context.Context, roots []*x509.Certificate) ([]Process, error)
	// Now returns the time.
	Now func() time.Time
	// Limit is the timeout of each wait.
	Limit time.Duration
	// Every is the polling interval.
	Every time.Duration
	// Step runs do as one step of that name. The argument of do reports its current activity.
	Step func(ctx context.Context, name string, do func(ctx context.Context, doing func(string)) error) error
}

// Rotate replaces the root. If an earlier rotation was interrupted, it completes that one instead.
func (r *Rotation) Rotate(ctx context.Context) error {
	a, err := r.Store.Load(ctx)
	if err != nil {
		return err
	}
	if a.Stage() == Steady {
		next, err := NewRoot(r.Now())
		if err != nil {
			return err
		}
		a.Next = &next
		if err := r.Store.Save(ctx, &a); err != nil {
			return err
		}
	}
	return r.Resume(ctx)
}

// Resume completes an interrupted rotation. Without one it is a no-op.
func (r *Rotation) Resume(ctx context.Context) error {
	for {
		a, err := r.Store.Load(ctx)
		if err != nil {
			return err
		}
		switch a.Stage() {
		case Introducing:
			err = r.stage(ctx, "trust the new root", &a, r.introduce, a.introduced)
		case Switching:
			err = r.stage(ctx, "issue under the new root", &a, r.reissueAll, a.switched)
		case Retiring:
			err = r.stage(ctx, "stop trusting the old root", &a, r.retire, a.retired)
		default:
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// stage does the work of a stage and then advances the stored authority.
func (r *Rotation) stage(ctx context.Context, name string, a *Authority, work func(context.Context, Authority, func(string)) error, move func()) error {
	return r.Step(ctx, name, func(ctx context.Context, doing func(string)) error {
		if err := r.Store.Distribute(ctx, Encode(a.Bundle())); err != nil {
			return err
		}
		if err := work(ctx, *a, doing); err != nil {
			return err
		}
		move()
		return r.Store.Save(ctx, a)
	})
}

func (r *Rotation) introduce(ctx context.Context, a Authority, doing func(string)) error {
	return r.awaitTrust(ctx, a, a.Next.Cert, doing)
}

func (r *Rotation) awaitTrust(ctx context.Context, a Authority, root *x509.Certificate, doing func(string)) error {
	return r.awaitProcesses(ctx, a, doing, func(p Process) string {
		if !p.Trusts[Fingerprint(root)] {
			return "does not trust the new root yet"
		}
		return ""
	})
}

func (r *Rotation) reissueAll(ctx context.Context, a Authority, doing func(string)) error {
	issuing := []*x509.Certificate{a.Issuing.Cert}
	// Every process trusts it already, unless the root was lost and the new one was never introduced.
	if err := r.awaitTrust(ctx, a, a.Issuing.Cert, doing); err != nil {
		return err
	}
	if err := r.reissue(ctx, issuing, doing); err != nil {
		return err
	}
	return r.awaitProcesses(ctx, a, doing, func(p Process) string {
		if p.Root != Fingerprint(a.Issuing.Cert) {
			return "does not present a certificate of the new root yet"
		}
		return ""
	})
}

func (r *Rotation) retire(ctx context.Context, a Authority, doing func(string)) error {
	return r.awaitProcesses(ctx, a, doing, func(p Process) string {
		for _, old := range a.Retired {
			if p.Trusts[Fingerprint(old)] {
				return "still trusts the old root"
			}
		}
		return ""
	})
}

// awaitProcesses waits until lacks returns an empty string for every process.
func (r *Rotation) awaitProcesses(ctx context.Context, a Authority, doing func(string), lacks func(Process) string) error {
	known := append(a.Bundle(), a.Retired...)
	return r.await(ctx, doing, func(ctx context.Context) ([]string, error) {
		all, err := r.Processes(ctx, known)
		if err != nil {
			return nil, err
		}
		var lacking []string
		for _, p := range all {
			if p.Err != nil {
				lacking = append(lacking, p.Pod+" cannot be observed: "+p.Err.Error())
			} else if why := lacks(p); why != "" {
				lacking = append(lacking, p.Pod+" "+why)
			}
		}
		return lacking, nil
	})
}

// await polls until nothing is lacking. A failed poll counts as lacking.
func (r *Rotation) await(ctx context.Context, doing func(string), look func(context.Context) ([]string, error)) error {
	limited, cancel := context.WithTimeout(ctx, r.Limit)
	defer cancel()
	var last string
	err := pause.Until(limited, r.Every, func(context.Context) (bool, error) {
		lacking := reasons(look(limited))
		if lacking == "" {
			return true, nil
		}
		// Keep the reason that was found before the timeout cut off this poll.
		if limited.Err() == nil {
			last = lacking
		}
		doing("waiting: " + last)
		return false, nil
	})
	if err == nil || ctx.Err() != nil {
		return ctx.Err()
	}
	return remedy.Wrap(fmt.Errorf("waiting for %s: %s", r.Limit, last), remedy.Command("status"), remedy.Command("certs", "list"))
}

// reasons says in one line what is lacking; empty if nothing is.
func reasons(lacking []string, err error) string {
	switch {
	case err != nil:
		return err.Error()
	case len(lacking) == 0:
		return ""
	case len(lacking) == 1:
		return lacking[0]
	default:
		return fmt.Sprintf("%s, and %d more", lacking[0], len(lacking)-1)
	}
}
