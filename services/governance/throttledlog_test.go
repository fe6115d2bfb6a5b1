package governance

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestThrottledLog_RepeatedWarning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		s := newThrottledLog(slog.New(slog.NewTextHandler(&log, nil)))
		for range 25 {
			s.warn("spans are lost", "error", "away")
			time.Sleep(time.Second)
		}
		lines := strings.Split(strings.TrimSpace(log.String()), "\n")
		if len(lines) != 3 || strings.Contains(lines[0], "since_the_last") || !strings.Contains(lines[1], "since_the_last=9") || !strings.Contains(lines[2], "level=WARN") {
			t.Errorf("in 25 s the log got\n%s", log.String())
		}
	})
}
