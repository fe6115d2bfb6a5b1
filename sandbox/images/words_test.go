package images

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestHostMirror(t *testing.T) {
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

func TestTailBuffer(t *testing.T) {
	line := func(n int) string { return fmt.Sprintf("line %06d\n", n) }
	for _, c := range []struct {
		sentence    string
		lines       int
		first, last string
	}{
		{"a short text is kept whole", 3, "line 000000", "line 000002"},
		{"of a long text the last lines are kept", 100_000, "", "line 099999"},
	} {
		var b tailBuffer
		for n := range c.lines {
			if got, err := b.Write([]byte(line(n))); got != len(line(n)) || err != nil {
				t.Fatalf("%s: Write returned %d, %v", c.sentence, got, err)
			}
		}
		lines := strings.Split(b.String(), "\n")
		if c.first != "" && lines[0] != c.first {
			t.Errorf("%s: it begins with %q", c.sentence, lines[0])
		}
		if lines[len(lines)-1] != c.last {
			t.Errorf("%s: it ends with %q", c.sentence, lines[len(lines)-1])
		}
		if len(lines[0]) != len(c.last) {
			t.Errorf("%s: it begins in the middle of a line: %q", c.sentence, lines[0])
		}
		if n := len(b.String()); n > tailBytes {
			t.Errorf("%s: it has %d bytes", c.sentence, n)
		}
		if b.buf.Len() > 2*tailBytes {
			t.Errorf("%s: %d bytes are held", c.sentence, b.buf.Len())
		}
	}
}

func TestRun(t *testing.T) {
	w := &Workshop{}
	if err := w.run(exec.Command("true")); err != nil {
		t.Errorf("a program that succeeds: %v", err)
	}
	wantError(t, w.run(exec.Command("sh", "-c", "echo out; echo problem >&2; exit 3")), nil, "exit status 3", "out", "problem")
	wantError(t, w.run(exec.Command("no-such-program")), exec.ErrNotFound, "try: sandbox up --setup")
}
