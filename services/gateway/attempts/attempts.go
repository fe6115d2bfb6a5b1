// Package attempts lists attempts to misuse the gateway, each with the only answer that is right. The list is a test against nginx alone and on a
// cluster, and a table in the documentation.
//
//	All ──Run(Target)──▶ raw TLS, HTTP/1.1 and HTTP/2 ──▶ Outcome ──▶ compare with Attempt.Want
//
// The clients are written on frames and bytes, because a client library does not send what is wrong.
package attempts

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// Target is a gateway, with what its partners may call.
type Target struct {
	// Address is host:port, ServerName the name in the gateway's certificate, Roots what the certificate chains to.
	Address, ServerName string
	Roots               *x509.CertPool
	// Certificates has a certificate of each kind except None.
	Certificates map[Kind]tls.Certificate
	// Unary and Stream are methods, as package.Service/Method, that partners may call. Hidden is one that the services have and the gateway does not
	// pass on. Request is a valid request of Unary, without the prefix of gRPC.
	Unary, Stream, Hidden string
	Request               []byte
	// Get and Post are paths of REST.
	Get, Post string
}

// Attempt is one attempt.
type Attempt struct {
	// Name is unique.
	Name string
	// Certificate is the kind of certificate that the attempt presents.
	Certificate Kind
	// Want is the text of the outcome.
	Want string
	// Slow means that the attempt takes more than ten seconds.
	Slow bool

	do func(context.Context, Target, Kind) (Outcome, error)
}

// The limits of one attempt.
const (
	limit     = 8 * time.Second
	slowLimit = 20 * time.Second
)

// Do makes the attempt. An error means that there was no outcome.
func (a Attempt) Do(ctx context.Context, t Target) (Outcome, error) {
	most := limit
	if a.Slow {
		most = slowLimit
	}
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	out, err := a.do(ctx, t, a.Certificate)
	if err != nil {
		return out, fmt.Errorf("attempting %q: %w", a.Name, err)
	}
	return out, nil
}

// All returns the attempts in the order of the documentation.
func All() []Attempt {
	return slices.Concat(valid(), identities(), transport(), spoofed(), sizes(), slow(), methods(), smuggling(), connections(), streams(), headers(), floods())
}

// Result is an attempt with its outcome.
type Result struct {
	Attempt Attempt
	Outcome Outcome
	// Err is why there is no outcome; nil if there is one.
	Err error
}

// Run makes attempts and returns their results in the same order. It makes the slow ones at the same time, and the others one by one.
func Run(ctx context.Context, t Target, all []Attempt) []Result {
	results := make([]Result, len(all))
	var slow sync.WaitGroup
	for i, a := range all {
		if a.Slow {
			slow.Go(func() { results[i] = result(ctx, t, a) })
		}
	}
	for i, a := range all {
		if !a.Slow {
			results[i] = result(ctx, t, a)
		}
	}
	slow.Wait()
	return results
}

func result(ctx context.Context, t Target, a Attempt) Result {
	out, err := a.Do(ctx, t)
	return Result{a, out, err}
}

// Markdown returns the list as a table.
func Markdown(all []Attempt) string {
	var out strings.Builder
	out.WriteString("| attempt | certificate | outcome |\n|---|---|---|\n")
	for _, a := range all {
		fmt.Fprintf(&out, "| %s | %s | `%s` |\n", a.Name, a.Certificate, a.Want)
	}
	return out.String()
}
