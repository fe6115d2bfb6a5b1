//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/grpc-sandbox/sandbox/internal/pause"
	"github.com/grpc-sandbox/sandbox/sandbox/doctor"
)

// mayBeSkipped lists the checks that may be skipped on a healthy machine, each with the allowed prefixes of the reason.
var mayBeSkipped = map[string][]string{
	// The versions of nerdctl are not known.
	"engine-version": {"no engine whose versions are known"},
	// The storage may be in the VM of Docker Desktop, or on the machine of DOCKER_HOST.
	"disk-engine": {"the engine's storage, "},
	// GOPROXY may be off, direct or a folder.
	"go-proxy": {"GOPROXY is "},
}

func TestDoctor_HealthySandbox(t *testing.T) {
	feature(t, "doctor", func(ctx context.Context, t *testing.T) {
		if err := shared.must(ctx, "up"); err != nil {
			t.Fatal(err)
		}
		// Pods that the previous test restarted may still be terminating, and a rate needs two scrapes.
		var complaints []string
		err := pause.UntilWithin(ctx, time.Second, 2*time.Minute, func(ctx context.Context) (bool, error) {
			out, code, err := shared.run(ctx, "doctor", "-o", "json")
			if err != nil {
				return false, err
			}
			var found doctor.Document
			if err := json.Unmarshal([]byte(out), &found); err != nil {
				return false, fmt.Errorf("doctor ended with %d: %w: %s", code, err, out)
			}
			complaints = wrongWith(found.Checks)
			if code != 0 {
				complaints = append(complaints, fmt.Sprintf("exit code %d", code))
			}
			return len(complaints) == 0, nil
		})
		if err != nil {
			t.Errorf("%v:\n%s", err, strings.Join(complaints, "\n"))
		}
	})
}

// wrongWith lists what should not be in the reports of a healthy sandbox: failures, skips without an allowed reason, and missing checks.
func wrongWith(reports []doctor.Report) []string {
	var complaints []string
	seen := map[string]bool{}
	for _, r := range reports {
		seen[r.ID] = true
		if r.Result == doctor.Fail || r.Result == doctor.Skip && !maySkip(r) {
			complaints = append(complaints, fmt.Sprintf("%s: %s: %s", r.ID, r.Result, r.Message))
		}
	}
	for _, c := range doctor.All() {
		if !seen[c.ID] {
			complaints = append(complaints, c.ID+": not reported")
		}
	}
	return complaints
}

func maySkip(r doctor.Report) bool {
	for _, reason := range mayBeSkipped[r.ID] {
		if strings.HasPrefix(r.Message, reason) {
			return true
		}
	}
	return false
}
