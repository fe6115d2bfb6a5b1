package gateway

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/grpc-sandbox/sandbox/services/control/controlv1"
	"github.com/grpc-sandbox/sandbox/services/control/partners"
)

// trustOf returns what a control plane sends to gateways.
func trustOf(t *testing.T) *controlv1.PartnerTrust {
	t.Helper()
	r, err := partners.NewRegistry(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	data, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return &controlv1.PartnerTrust{Version: r.Version, AuthoritiesPem: data["ca.crt"], RevocationsPem: data["ca.crl"]}
}

func TestRemember_PartnersOfAFormerRun(t *testing.T) {
	trust := trustOf(t)
	for _, c := range []struct {
		name                     string
		authorities, revocations []byte
		want                     int64
	}{
		{"a first run", nil, nil, 0},
		{"a former run", trust.GetAuthoritiesPem(), trust.GetRevocationsPem(), trust.GetVersion()},
		{"a run that ended between the two files", nil, trust.GetRevocationsPem(), 0},
		{"a damaged list", trust.GetAuthoritiesPem(), []byte("-"), 0},
		{"a list that is no list", trust.GetAuthoritiesPem(), trust.GetAuthoritiesPem(), 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := &agent{cfg: Config{Folder: t.TempDir()}, log: slog.New(slog.DiscardHandler)}
			for name, data := range map[string][]byte{authoritiesFile: c.authorities, revocationsFile: c.revocations} {
				if data == nil {
					continue
				}
				if err := os.WriteFile(filepath.Join(a.cfg.Folder, name), data, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if a.remember(); a.trust != c.want {
				t.Errorf("version %d, want %d", a.trust, c.want)
			}
		})
	}
}

func TestReplace_RestoresTheFormerFiles(t *testing.T) {
	a := &agent{cfg: Config{Folder: t.TempDir()}, log: slog.New(slog.DiscardHandler)}
	write := func(text string) func() {
		restore, err := a.replace(map[string][]byte{authoritiesFile: []byte(text), revocationsFile: []byte(text)})
		if err != nil {
			t.Fatal(err)
		}
		return restore
	}
	want := func(text string) {
		t.Helper()
		for _, name := range []string{authoritiesFile, revocationsFile} {
			if got, err := os.ReadFile(a.file(name)); err != nil || string(got) != text {
				t.Errorf("%s: %q, %v, want %q", name, got, err, text)
			}
		}
	}
	write("first")
	restore := write("second")
	want("second")
	restore()
	want("first")
}
