package cluster

import (
	"io"
	"path/filepath"
	"slices"
	"testing"

	"github.com/grpc-sandbox/sandbox/sandbox/fixture"
)

func TestReplaceImage_RemovesTheReplacedImage(t *testing.T) {
	for _, c := range []struct {
		sentence, before, after string
		calls                   []string
	}{
		{"another image had the name", "old", "new", []string{"load", "rmi old"}},
		{"the same image was there", "same", "same", []string{"load"}},
		{"nothing had the name", "", "new", []string{"load"}},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			id := filepath.Join(t.TempDir(), "id")
			fixture.Write(t, id, c.before, 0o644)
			e, calls := fakeEngineNamed(t, "docker", `case "$1" in
load) cat >/dev/null; printf '`+c.after+`' >'`+id+`' ;;
image) [ -s '`+id+`' ] && cat '`+id+`' ;;
esac`)
			if err := e.ReplaceImage(t.Context(), "docker.io/a:1", func(w io.Writer) error { _, err := io.WriteString(w, "x"); return err }); err != nil {
				t.Fatal(err)
			}
			changes := slices.DeleteFunc(calls(), func(call string) bool { return call == "image inspect --format {{.Id}} docker.io/a:1" })
			if !slices.Equal(changes, c.calls) {
				t.Errorf("it did %q, want %q", changes, c.calls)
			}
		})
	}
}
