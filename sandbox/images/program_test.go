package images

import (
	"archive/tar"
	"bytes"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAddBase_CopiesTheHostsCertificates(t *testing.T) {
	for _, c := range []struct {
		sentence string
		host     map[string]string
		// want is empty if the call fails.
		want string
	}{
		{"Debian's", map[string]string{"etc/ssl/certs/ca-certificates.crt": "debian"}, "debian"},
		{"Fedora's", map[string]string{"etc/pki/tls/certs/ca-bundle.crt": "fedora"}, "fedora"},
		{"SUSE's", map[string]string{"etc/ssl/ca-bundle.pem": "suse"}, "suse"},
		{"Alpine's", map[string]string{"etc/ssl/cert.pem": "alpine"}, "alpine"},
		{"an empty file does not count", map[string]string{"etc/ssl/certs/ca-certificates.crt": "", "etc/ssl/cert.pem": "alpine"}, "alpine"},
		{"a host without certificates is an error", nil, ""},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			host := t.TempDir()
			for name, text := range c.host {
				write(t, filepath.Join(host, name), text)
			}
			var layer bytes.Buffer
			tw := tar.NewWriter(&layer)
			err := addBase(tw, host)
			if c.want == "" {
				wantError(t, err, nil, "needs CA certificates", "\ntry: install the package ca-certificates")
				return
			}
			if err == nil {
				err = tw.Close()
			}
			if err != nil {
				t.Fatal(err)
			}
			want := []header{{"tmp/", tar.TypeDir, 0o1777, "", ""}, {"etc/ssl/certs/ca-certificates.crt", tar.TypeReg, 0o644, "", c.want}}
			if diff := cmp.Diff(want, headers(t, &layer)); diff != "" {
				t.Errorf("layer (-want +got):\n%s", diff)
			}
		})
	}
}
