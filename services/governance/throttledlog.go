package governance

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// throttledEvery is the shortest interval between two log lines about the same thing, so that a client that connects every second, or a
// missing collector, does not fill the log.
const throttledEvery = 10 * time.Second

// throttledLog logs a warning that may repeat for a long time, and adds how often it was suppressed.
type throttledLog struct {
	log    *slog.Logger
	pace   *rate.Limiter
	silent atomic.Int64
}

func newThrottledLog(log *slog.Logger) *throttledLog {
	return &throttledLog{log: log, pace: rate.NewLimiter(rate.Every(throttledEvery), 1)}
}

func (s *throttledLog) warn(what string, args ...any) {
	s.warnContext(context.Background(), what, args...)
}

func (s *throttledLog) warnContext(ctx context.Context, what string, args ...any) {
	more, allowed := s.allow()
	if !allowed {
		return
	}
	if more > 0 {
		args = append(args, "since_the_last", more)
	}
	s.log.WarnContext(ctx, what, args...)
}

// allow reports whether it is time for another line, and how many were suppressed since the last one.
func (s *throttledLog) allow() (suppressed int64, allowed bool) {
	if !s.pace.Allow() {
		s.silent.Add(1)
		return 0, false
	}
	return s.silent.Swap(0), true
}
