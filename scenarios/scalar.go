package scenarios

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
	"github.com/grpc-sandbox/sandbox/scenarios/internal/text"
	"github.com/grpc-sandbox/sandbox/scenarios/target"
)

func namesOf(fields []Field) string { return strings.Join(fieldNames(fields), ", ") }

// scalar returns the text of a written, single value.
func (o object) scalar(name, want string) (node, string, bool) {
	n, ok := o.members[name]
	if !ok {
		return n, "", false
	}
	if n.yaml.Kind != yaml.ScalarNode || n.yaml.Tag == "!!null" {
		n.problem("", "want %s, got %s", want, describe(n.yaml))
		return n, "", false
	}
	return n, n.yaml.Value, true
}

// read parses a written scalar; an absent or wrong one yields the fallback, a wrong one a problem too.
func read[T any](o object, name, want, remedy string, fallback T, parse func(string) (T, error)) T {
	n, s, ok := o.scalar(name, want)
	if !ok {
		return fallback
	}
	v, err := parse(s)
	if err != nil {
		n.problem(remedy, "%s", err)
		return fallback
	}
	return v
}

func (o object) text(name string) string {
	return read(o, name, "a text", "write a name", "", func(s string) (string, error) {
		if strings.TrimSpace(s) == "" {
			return "", fmt.Errorf("want a text, got %q", s)
		}
		if text.Printable(s) != s || strings.Contains(s, "\n") {
			return "", fmt.Errorf("want a text of one line without control characters, got %q", s)
		}
		return s, nil
	})
}

func (o object) duration(name string, fallback time.Duration) time.Duration {
	return read(o, name, "a duration", "try: 5s, 250ms or 1m30s", fallback, target.ParseDuration)
}

// span is a duration that cannot be zero.
func (o object) span(name string) time.Duration {
	return read(o, name, "a duration", "try: 5s, 250ms or 1m30s", 0, func(s string) (time.Duration, error) {
		d, err := target.ParseDuration(s)
		if err == nil && d == 0 {
			err = fmt.Errorf("want a duration above 0s, got %q", s)
		}
		return d, err
	})
}

// share reads a percentage above 0 %, which as a limit would always be kept.
func (o object) share(name string) Share {
	return read(o, name, "a percentage", "try: 99.5%", 0, func(s string) (Share, error) {
		v, err := target.ParseShare(s)
		if err == nil && v == 0 {
			err = fmt.Errorf("want a percentage above 0%%, got %q: it can never fail", s)
		}
		return v, err
	})
}

func (o object) rate(name string) Rate {
	return read(o, name, "a rate", "try: 200/s or 90/m", 0, ParseRate)
}

func (o object) whole(name string, least, fallback int) int {
	want := fmt.Sprintf("a whole number of at least %d", least)
	return read(o, name, want, fmt.Sprintf("try: %d", max(1, least)), fallback, func(s string) (int, error) {
		v, err := strconv.Atoi(s)
		if err != nil || v < least || v > math.MaxInt32 {
			return 0, fmt.Errorf("want %s, got %q", want, s)
		}
		return v, nil
	})
}

// seed reads any unsigned number of 64 bits; 1 when absent.
func (o object) seed(name string) uint64 {
	return read(o, name, "a whole number", "try: 42", 1, func(s string) (uint64, error) {
		v, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("want a whole number from 0 to 2⁶⁴-1, got %q", s)
		}
		return v, nil
	})
}

func (o object) quantile(name string) float64 {
	return read(o, name, "a quantile", "try: 0.99", 0, func(s string) (float64, error) {
		v, err := strconv.ParseFloat(s, 64)
		if err != nil || !(v > 0 && v < 1) {
			return 0, fmt.Errorf("want a quantile between 0 and 1, got %q", s)
		}
		return v, nil
	})
}

// oneOf reads one of some words; empty when absent.
func (o object) oneOf(name string, words ...string) string {
	return read(o, name, strings.Join(words, " or "), Suggest("", words), "", func(s string) (string, error) {
		if !slices.Contains(words, s) {
			return "", fmt.Errorf("want %s, got %q", strings.Join(words, " or "), s)
		}
		return s, nil
	})
}

var breakerStates = []string{string(telemetry.Closed), string(telemetry.Open), string(telemetry.HalfOpen)}

func (o object) state(name string) telemetry.BreakerState {
	n, s, ok := o.scalar(name, "a breaker state")
	if !ok {
		return ""
	}
	return n.stateOf(s)
}

func (o object) states(name string) []telemetry.BreakerState {
	var out []telemetry.BreakerState
	for _, item := range o.list(name) {
		if item.yaml.Kind != yaml.ScalarNode {
			item.problem(Suggest("", breakerStates), "want a breaker state, got %s", describe(item.yaml))
			continue
		}
		s := item.stateOf(item.yaml.Value)
		if len(out) > 0 && out[len(out)-1] == s && s != "" {
			item.problem("name each visit once", "%s follows itself, but a breaker only ever changes state", s)
		}
		out = append(out, s)
	}
	return out
}

func (n node) stateOf(s string) telemetry.BreakerState {
	for _, known := range breakerStates {
		if s == known {
			return telemetry.BreakerState(s)
		}
	}
	n.problem(Suggest(s, breakerStates), "unknown breaker state %q", s)
	return ""
}
