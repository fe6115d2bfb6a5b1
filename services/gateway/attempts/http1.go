package attempts

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// newID returns the id of a request, by which its line in the access log is found.
func newID() string { return "attempt-" + strings.ToLower(rand.Text()) }

// dial opens a connection that ends with ctx. Without protocols, it is one of HTTP/1.1.
func dial(ctx context.Context, t Target, kind Kind, protocols []string, edits ...func(*tls.Config)) (*tls.Conn, error) {
	cfg := &tls.Config{RootCAs: t.Roots, ServerName: t.ServerName, NextProtos: protocols, MinVersion: tls.VersionTLS12}
	if kind != None {
		certificate, ok := t.Certificates[kind]
		if !ok {
			return nil, fmt.Errorf("the target has no certificate of the kind %q", kind)
		}
		// A list of certificates would be filtered by the authorities that the gateway names.
		cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &certificate, nil }
	}
	for _, edit := range edits {
		edit(cfg)
	}
	raw, err := plain(ctx, t)
	if err != nil {
		return nil, err
	}
	conn := tls.Client(raw, cfg)
	if err := conn.HandshakeContext(ctx); err != nil {
		_ = raw.Close()
		return nil, err
	}
	return conn, nil
}

// plain opens a connection without TLS.
func plain(ctx context.Context, t Target) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", t.Address)
	if err != nil {
		return nil, fmt.Errorf("connecting to the gateway: %w", err)
	}
	until, ok := ctx.Deadline()
	if !ok {
		until = time.Now().Add(limit)
	}
	return conn, conn.SetDeadline(until)
}

// parts are what is sent over a connection, one after the other.
type parts func(t Target, id string) []io.Reader

// text returns the parts of a request. The placeholders {get}, {post}, {unary}, {host} and {id} are replaced.
func text(lines ...string) parts {
	return func(t Target, id string) []io.Reader {
		replacer := strings.NewReplacer("{get}", t.Get, "{post}", t.Post, "{unary}", t.Unary, "{host}", t.ServerName, "{id}", id)
		return []io.Reader{strings.NewReader(replacer.Replace(strings.Join(lines, "\r\n")))}
	}
}

// over1 sends bytes over HTTP/1.1 and returns the first answer.
func over1(what parts) func(context.Context, Target, Kind) (Outcome, error) {
	return func(ctx context.Context, t Target, kind Kind) (Outcome, error) {
		conn, err := dial(ctx, t, kind, nil)
		if err != nil {
			return failed(err)
		}
		return talk(conn, what(t, newID()), false)
	}
}

// all1 sends bytes over HTTP/1.1 and returns all answers, of which there should be one.
func all1(what parts) func(context.Context, Target, Kind) (Outcome, error) {
	return func(ctx context.Context, t Target, kind Kind) (Outcome, error) {
		conn, err := dial(ctx, t, kind, nil)
		if err != nil {
			return failed(err)
		}
		return talk(conn, what(t, newID()), true)
	}
}

// overPlain sends bytes without TLS.
func overPlain(what parts) func(context.Context, Target, Kind) (Outcome, error) {
	return func(ctx context.Context, t Target, _ Kind) (Outcome, error) {
		conn, err := plain(ctx, t)
		if err != nil {
			return Outcome{}, err
		}
		return talk(conn, what(t, newID()), false)
	}
}

// talk writes while it reads, because the gateway may answer before it has read everything.
func talk(conn net.Conn, what []io.Reader, all bool) (Outcome, error) {
	written := make(chan struct{})
	go func() {
		defer close(written)
		// If it fails, the gateway has closed the connection, and what it has said before is read below.
		_, _ = io.Copy(conn, io.MultiReader(what...))
	}()
	defer func() {
		_ = conn.Close()
		<-written
	}()
	in := bufio.NewReader(conn)
	out, err := read(in)
	for more := all; more && err == nil && out.Text != "closed"; {
		// What follows arrives at once.
		_ = conn.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
		next, failure := read(in)
		more = failure == nil && next.Text != "closed"
		if more {
			out.Text += ", " + next.Text
			out.Body += next.Body
		}
	}
	return out, err
}

// read reads one answer.
func read(in *bufio.Reader) (Outcome, error) {
	start, err := in.Peek(5)
	if err != nil && (len(start) == 0 || !errors.Is(err, io.EOF)) {
		return failed(err)
	}
	if string(start) != "HTTP/" {
		// HTTP/0.9 has neither a status nor headers.
		body, err := io.ReadAll(in)
		if err != nil {
			return failed(err)
		}
		return answer{body: body}.outcome(), nil
	}
	// The method matters for the body: that of an answer to HEAD is missing. No attempt uses HEAD.
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		return Outcome{}, fmt.Errorf("reading the answer: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return Outcome{}, fmt.Errorf("reading the answer: %w", err)
	}
	return answer{resp.StatusCode, resp.Header, body}.outcome(), nil
}
