package policy

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFile_LogsWithoutObserver(t *testing.T) {
	var log bytes.Buffer
	f := &File{Path: filepath.Join(t.TempDir(), "policy.yaml"), Policy: &Policy{}, Log: slog.New(slog.NewTextHandler(&log, nil))}
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(f.Path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("version: one")
	if err := f.Load(); err != nil {
		t.Fatal(err)
	}
	write("version: [two]")
	f.reload()
	f.reload()
	f.Policy.Know(Known{})
	write("version: three\nserver: [{method: 'a.B/C'}]")
	f.reload()
	var messages []string
	for line := range strings.Lines(log.String()) {
		_, message, _ := strings.Cut(line, "msg=")
		messages = append(messages, message)
	}
	for i, want := range []string{`"policy in force" version=one`, `"keeping the last good policy" error=`, `"policy in force" version=three`, `"a pattern of the policy matches nothing`} {
		if len(messages) != 4 || !strings.HasPrefix(messages[i], want) {
			t.Errorf("line %d, want %s, of\n%s", i, want, log.String())
		}
	}
	if f.Policy.Version() != "three" {
		t.Errorf("version %q in force", f.Policy.Version())
	}
}
