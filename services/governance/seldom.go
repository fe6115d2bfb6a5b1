package governance

import (
	"log/slog"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// seldomEvery is how often the same thing is worth a line: whoever knocks at every second, or a collector that is away, must not fill the log.
const seldomEvery = 10 * time.Second

// seldom warns of something that may go on for long, and says how often it happened meanwhile.
type seldom struct {
	log    *slog.Logger
	pace   *rate.Limiter
	silent atomic.Int64
}

func newSeldom(log *slog.Logger) *seldom {
	return &seldom{log: log, pace: rate.NewLimiter(rate.Every(seldomEvery), 1)}
}

func (s *seldom) warn(what string, args ...any) {
	if !s.pace.Allow() {
		s.silent.Add(1)
		return
	}
	if more := s.silent.Swap(0); more > 0 {
		args = append(args, "since_the_last", more)
	}
	s.log.Warn(what, args...)
}
