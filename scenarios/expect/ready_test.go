package expect

import (
	"testing"
	"time"

	"github.com/grpc-sandbox/sandbox/scenarios/report"
)

func TestReady_CountsPods(t *testing.T) {
	for pods, want := range map[int]string{2: report.NotMet, 3: report.Met, 4: report.Met} {
		e := Evidence{Ready: func(release string) (int, time.Time, error) {
			if release != "userservice" {
				t.Errorf("asked for the pods of %s", release)
			}
			return pods, epoch, nil
		}}
		if f := (ready{"userservice", 3}).Check(e); f.Result != want || f.Observed.Number != float64(pods) || !f.Since.Equal(epoch) {
			t.Errorf("%d pods: %+v", pods, f)
		}
	}
}
