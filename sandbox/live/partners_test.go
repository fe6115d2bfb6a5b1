package live

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox/fixture"
	"github.com/grpc-sandbox/sandbox/services/control/telemetryv1"
	"github.com/grpc-sandbox/sandbox/services/gateway"
)

func TestAwaitVersion_WaitsForEveryPod(t *testing.T) {
	applied := func(pod, version string) *telemetryv1.Event {
		return &telemetryv1.Event{Pod: pod, Labels: map[string]string{labelPartners: version}}
	}
	for _, c := range []struct {
		name   string
		events []*telemetryv1.Event
		ok     bool
	}{
		{"both in turn", []*telemetryv1.Event{applied("a", "7"), applied("b", "7")}, true},
		{"one with a later version", []*telemetryv1.Event{applied("a", "8"), applied("b", "7")}, true},
		{"one with an older version", []*telemetryv1.Event{applied("a", "7"), applied("b", "6")}, false},
		{"one twice", []*telemetryv1.Event{applied("a", "7"), applied("a", "7")}, false},
		{"an event without a version", []*telemetryv1.Event{applied("a", "7"), applied("b", "")}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			left := c.events
			err := awaitVersion(func() (*telemetryv1.Event, error) {
				if len(left) == 0 {
					return nil, io.EOF
				}
				next := left[0]
				left = left[1:]
				return next, nil
			}, []string{"a", "b"}, 7)
			if (err == nil) != c.ok {
				t.Error(err)
			}
		})
	}
	if kindGateway != gateway.KindGateway {
		t.Errorf("events of kind %q are watched, and gateways report %q", kindGateway, gateway.KindGateway)
	}
}

func TestPartnerError_SaysWhatToDo(t *testing.T) {
	for code, want := range map[codes.Code]string{
		codes.AlreadyExists: "sandbox partner renew acme", codes.NotFound: "sandbox partner list", codes.FailedPrecondition: "sandbox partner add acme",
		codes.Unavailable: "sandbox logs control",
	} {
		err := partnerError("issuing", "acme", status.Error(code, "no"))
		if got := remedy.Line(err, nil); !strings.Contains(got, want) {
			t.Errorf("%s: %s, want %q in it", code, got, want)
		}
		if errors.Is(err, errPartnerExists) != (code == codes.AlreadyExists) {
			t.Errorf("%s: %v", code, err)
		}
	}
}

// A certificate that was issued and cannot be written is of no use: its key is lost.
func TestIssuePartner_FolderIsCheckedFirst(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	// This cluster cannot issue anything.
	_, err := new(Cluster).IssuePartner(t.Context(), "acme", filepath.Join(file, "acme"), 0, false)
	fixture.WantError(t, err, "writing the certificate of acme: mkdir "+file+": not a directory")
}

func TestPrepareFolder_RemovesOnlyItsOwn(t *testing.T) {
	users := t.TempDir()
	for folder, stays := range map[string]bool{users: true, filepath.Join(users, "new"): false} {
		remove, err := prepareFolder(folder)
		if err != nil {
			t.Fatal(err)
		}
		if left, err := os.ReadDir(folder); folder != users && (err != nil || len(left) > 0) {
			t.Errorf("%s has %v, %v", folder, left, err)
		}
		remove()
		if _, err := os.Stat(folder); (err == nil) != stays {
			t.Errorf("after a refusal, %s: %v", folder, err)
		}
	}
}
