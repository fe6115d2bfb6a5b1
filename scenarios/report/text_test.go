package report

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
)

func TestWriteText_EscapesWhatATerminalInterprets(t *testing.T) {
	evil := "a\x1b[2J\u009b31m\u202eb"
	r := Report{Scenario: evil, Message: evil, Summary: "x", Steps: []Step{{Name: evil, Detail: evil}}, Expectations: []Finding{{Name: evil, Note: evil}},
		Cleanup: Cleanup{Residue: []string{evil}}}
	var b strings.Builder
	if err := r.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	b.WriteString(TimelineLine(telemetry.Event{Kind: evil, Subject: evil, Detail: evil}, time.Time{}))
	if strings.ContainsAny(b.String(), "\x1b\u009b\u202e") || !strings.Contains(b.String(), `a\x1b[2J\u009b31m\u202eb`) {
		t.Errorf("%q", b.String())
	}
}

// TestWriteText_FromJSON shows that a report read back from JSON is printed as the run printed it.
func TestWriteText_FromJSON(t *testing.T) {
	for _, name := range []string{"pass", "fail", "aborted"} {
		data, err := os.ReadFile(filepath.Join("..", "testdata", name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		var r Report
		if err := json.Unmarshal(data, &r); err != nil {
			t.Fatal(err)
		}
		for ext, write := range map[string]func(io.Writer) error{".txt": r.WriteText, ".xml": r.WriteJUnit, ".json": r.WriteJSON} {
			want, err := os.ReadFile(filepath.Join("..", "testdata", name+ext))
			if err != nil {
				t.Fatal(err)
			}
			var got strings.Builder
			if err := write(&got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got.String(), "\n")); diff != "" {
				t.Errorf("%s%s:\n%s", name, ext, diff)
			}
		}
	}
}
