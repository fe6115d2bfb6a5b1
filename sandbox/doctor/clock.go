package doctor

import (
	"context"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
)

// clock compares the host's time with the calendar, and with the certificates, which another host may have dated.
func clock(ctx context.Context, w Host) Result {
	fix := remedy.Shell("sudo", "timedatectl", "set-ntp", "true")
	now := w.Now()
	if now.Year() < 2024 {
		return fail(fix, "the clock shows %s", now.Format("2006-01-02"))
	}
	if w.Cluster != nil && w.Cluster.Certificates != nil {
		if certificates, err := w.Cluster.Certificates(ctx); err == nil {
			for _, c := range certificates {
				if c.NotBefore.After(now) {
					return fail(fix, "the certificate %s/%s is not valid before %s", c.Namespace, c.Name, c.NotBefore.UTC().Format("2006-01-02 15:04:05Z"))
				}
			}
		}
	}
	return pass("the clock shows %s", now.UTC().Format("2006-01-02 15:04Z"))
}
