package cluster

import (
	"fmt"
	"strings"
	"sync"

	"sigs.k8s.io/kind/pkg/log"
)

// progressLogger converts kind's log lines into the names of its steps. Warnings are passed on unchanged.
type progressLogger struct {
	mu       sync.Mutex
	progress func(string)
}

func newProgressLogger(progress func(string)) *progressLogger {
	if progress == nil {
		progress = func(string) {}
	}
	return &progressLogger{progress: progress}
}

func (l *progressLogger) say(line string) {
	if step := stepName(line); step != "" {
		l.emit(step)
	}
}

// emit serialises the calls that kind's goroutines make.
func (l *progressLogger) emit(what string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.progress(what)
}

// stepName returns the step that a log line of kind starts, or an empty string.
func stepName(line string) string {
	name, ok := strings.CutPrefix(strings.TrimSpace(line), "•")
	if !ok {
		return ""
	}
	name = strings.TrimFunc(name, func(r rune) bool { return r == ' ' || r == '.' || r == '…' || r > 0x2000 })
	return strings.TrimSpace(name)
}

// kind warns that we name its network.
func (l *progressLogger) Warn(string)                  {}
func (l *progressLogger) Warnf(string, ...any)         {}
func (l *progressLogger) Error(m string)               { l.emit("kind: " + m) }
func (l *progressLogger) Errorf(f string, args ...any) { l.Error(fmt.Sprintf(f, args...)) }

// V implements log.Logger. kind logs its steps at level 0.
func (l *progressLogger) V(level log.Level) log.InfoLogger {
	return infoLogger{l: l, enabled: level == 0}
}

type infoLogger struct {
	l       *progressLogger
	enabled bool
}

func (i infoLogger) Info(m string) {
	if i.enabled {
		i.l.say(m)
	}
}
func (i infoLogger) Infof(f string, args ...any) { i.Info(fmt.Sprintf(f, args...)) }
func (i infoLogger) Enabled() bool               { return i.enabled }
