//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/grpc-sandbox/sandbox/sandbox/doctor"
)

// mayBeSkipped are the checks that a fit machine may leave open, each with how its reason may begin.
var mayBeSkipped = map[string][]string{
	"engine-version": {"no engine whose versions are known"}, // nerdctl
	"disk-engine":    {"the engine's storage, "},             // it is in Docker Desktop's machine, or at DOCKER_HOST
	"go-proxy":       {"GOPROXY is "},                        // off, direct or a folder
}

func TestTheDoctorFindsNothingWrongWithAHealthySandbox(t *testing.T) {
	feature(t, "doctor", func(ctx context.Context, t *testing.T) {
		if err := world.must(ctx, "up"); err != nil {
			t.Fatal(err)
		}
		// What the test before restarted may still end, and a rate takes two scrapes.
		var complaints []string
		err := wait.PollUntilContextTimeout(ctx, time.Second, 2*time.Minute, true, func(ctx context.Context) (bool, error) {
			out, code, err := world.run(ctx, "doctor", "-o", "json")
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

// wrongWith names what should not be in the reports of a healthy sandbox: failures, skips without a known reason, and checks that are missing.
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
