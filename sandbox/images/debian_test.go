package images

import (
	"path/filepath"
	"testing"
)

func TestHostMirror_ReadsAptSources(t *testing.T) {
	const security = "deb http://security.debian.org/debian-security bookworm-security main\n"
	for _, c := range []struct {
		sentence string
		files    map[string]string
		want     string
	}{
		{"a host without apt uses Debian's own mirror", nil, debianMirror},
		{"a one-line source is read", map[string]string{"sources.list": "# comment\ndeb http://mirror.example/debian bookworm main\n"}, "http://mirror.example/debian"},
		{"a one-line source with options is read", map[string]string{"sources.list": "deb [arch=amd64 signed-by=/k.gpg] https://mirror.example/debian/ bookworm main\n"}, "https://mirror.example/debian"},
		{"a deb822 source is read", map[string]string{"sources.list.d/debian.sources": "Types: deb\nURIs: http://mirror.example/debian/\nSuites: bookworm\n"}, "http://mirror.example/debian"},
		{"the second of several URIs is read", map[string]string{"sources.list.d/debian.sources": "URIs: http://security.debian.org/debian-security http://mirror.example/debian\n"}, "http://mirror.example/debian"},
		{"the security archive is ignored", map[string]string{"sources.list": security}, debianMirror},
		{"the archive after the security archive is found", map[string]string{"sources.list": security + "deb http://mirror.example/debian bookworm main\n"}, "http://mirror.example/debian"},
		{"a file that apt does not read is ignored", map[string]string{"sources.list.d/debian.sources.save": "URIs: http://old.example/debian/\n"}, debianMirror},
		{"a source for other packages is ignored", map[string]string{"sources.list.d/docker.list": "deb https://download.docker.example/linux bookworm stable\n"}, debianMirror},
		{"sources of source code are ignored", map[string]string{"sources.list": "deb-src http://mirror.example/debian bookworm main\n"}, debianMirror},
		{"a line that is commented out is ignored", map[string]string{"sources.list": "#deb http://mirror.example/debian bookworm main\n# deb http://mirror.example/debian x\n"}, debianMirror},
		{"another distribution's archive is ignored", map[string]string{"sources.list": "deb http://archive.example/ubuntu noble main\n"}, debianMirror},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			etc := t.TempDir()
			for name, text := range c.files {
				write(t, filepath.Join(etc, name), text)
			}
			if got := hostMirror(etc); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}
