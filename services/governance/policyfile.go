package governance

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/services/governance/internal/pattern"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// KindPolicy is the kind of events about policies.
const KindPolicy = "policy"

// Known lists what the patterns of a policy can match: methods as package.Service/Method, and callees by the names with which they are dialed.
type Known struct{ Served, Called, Callees []string }

// PolicyFile keeps a Policy in step with a file.
type PolicyFile struct {
	Path string
	// Every is the interval at which the file is read. Default: 1s.
	Every  time.Duration
	Policy *Policy
	// Log receives log records. Default: slog.Default().
	Log *slog.Logger
	// Metrics and Events may be nil.
	Metrics *Metrics
	Events  *Events
	// Known returns what the process serves and calls, so that a pattern without a match is reported. It may be nil.
	Known func() Known

	last [sha256.Size]byte
}

// Load reads the file once. It fails if the file cannot be used. Watch follows later changes.
func (f *PolicyFile) Load() error {
	f.Every = cmp.Or(f.Every, time.Second)
	if f.Log == nil {
		f.Log = slog.Default()
	}
	text, err := readPolicy(f.Path)
	if err != nil {
		return err
	}
	f.last = sha256.Sum256(text)
	return f.use(text)
}

// Watch uses changed content until ctx ends. It compares the content, because a mounted ConfigMap is changed by a symlink. If the file is
// malformed or missing, the last good policy stays in force, and an event, a metric and the log report it once.
func (f *PolicyFile) Watch(ctx context.Context) error {
	f.ReportUnmatched()
	return Every(ctx, f.Every, func(context.Context) error {
		f.reload()
		return nil
	})
}

func (f *PolicyFile) reload() {
	text, err := readPolicy(f.Path)
	digest := sha256.Sum256(text)
	if err != nil {
		digest = sha256.Sum256([]byte(err.Error()))
	}
	if digest == f.last {
		return
	}
	f.last = digest
	if err == nil {
		err = f.use(text)
	}
	if err == nil {
		f.ReportUnmatched()
		return
	}
	f.Log.Error("keeping the last good policy", "file", f.Path, "version", f.Policy.Version(), "error", remedy.Line(err, nil))
	f.event("kept the last good one: "+remedy.Line(err, nil), "kept")
	if f.Metrics != nil {
		f.Metrics.policyErrors.Inc()
	}
}

func (f *PolicyFile) use(text []byte) error {
	p, err := ParsePolicy(text)
	if err != nil {
		return fmt.Errorf("%s: %w", f.Path, err)
	}
	before := f.Policy.Version()
	if err := f.Policy.Set(p); err != nil {
		return fmt.Errorf("%s: %w", f.Path, err)
	}
	f.Log.Info("policy in force", "file", f.Path, "version", p.GetVersion(), "before", before)
	f.event(fmt.Sprintf("version %q in force", p.GetVersion()), "applied")
	if f.Metrics != nil {
		f.Metrics.policyApplied(p.GetVersion())
	}
	return nil
}

func (f *PolicyFile) event(detail, result string) {
	if f.Events != nil {
		f.Events.Add(Event{Kind: KindPolicy, Subject: filepath.Base(f.Path), Detail: detail,
			Labels: map[string]string{"result": result, "version": f.Policy.Version()}})
	}
}

// ReportUnmatched reports the patterns that match nothing that this process serves or calls. They are not an error, because one file may be
// used by several programs.
func (f *PolicyFile) ReportUnmatched() {
	if f.Known == nil {
		return
	}
	unmatched := unmatchedPatterns(f.Policy.load().source, f.Known())
	if f.Metrics != nil {
		f.Metrics.policyUnmatched.Set(float64(len(unmatched)))
	}
	for _, pattern := range unmatched {
		f.Log.Warn("a pattern of the policy matches nothing that this process serves or calls", "file", f.Path, "pattern", pattern)
		f.event("nothing matches "+pattern, "unmatched")
	}
}

// unmatchedPatterns returns each as "field: pattern".
func unmatchedPatterns(p *policyv1.EffectivePolicy, known Known) (unmatched []string) {
	look := func(field, text string, among []string) {
		if text != "" && !slices.ContainsFunc(among, func(name string) bool { return pattern.Matches(text, name) }) {
			unmatched = append(unmatched, field+": "+text)
		}
	}
	for i, r := range p.GetServer() {
		look(fmt.Sprintf("server[%d].method", i), r.GetMethod(), known.Served)
	}
	for i, r := range p.GetClient() {
		look(fmt.Sprintf("client[%d].callee", i), r.GetCallee(), known.Callees)
		look(fmt.Sprintf("client[%d].method", i), r.GetMethod(), known.Called)
	}
	for i, f := range p.GetServerFaults() {
		look(fmt.Sprintf("serverFaults[%d].method", i), f.GetMethod(), known.Served)
	}
	for i, f := range p.GetClientFaults() {
		look(fmt.Sprintf("clientFaults[%d].callee", i), f.GetCallee(), known.Callees)
		look(fmt.Sprintf("clientFaults[%d].method", i), f.GetMethod(), known.Called)
	}
	for i, c := range p.GetConnections() {
		look(fmt.Sprintf("connections[%d].callee", i), c.GetCallee(), known.Callees)
	}
	return unmatched
}

func readPolicy(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading the policy: %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(file, maxPolicyBytes+1))
	if err = errors.Join(err, file.Close()); err != nil {
		return nil, fmt.Errorf("reading the policy: %w", err)
	}
	return text, nil
}
