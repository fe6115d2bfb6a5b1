package grammar

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
	"github.com/grpc-sandbox/sandbox/scenarios/internal/text"
	"github.com/grpc-sandbox/sandbox/scenarios/target"
)

// scalar returns the text of a single value that is written.
func (o Object) scalar(name, want string) (Node, string, bool) {
	n, ok := o.members[name]
	if !ok {
		return n, "", false
	}
	if n.yaml.Kind != yaml.ScalarNode || n.yaml.Tag == "!!null" {
		n.Problem(remedy.Remedy{}, "want %s, got %s", want, describe(n.yaml))
		return n, "", false
	}
	return n, n.yaml.Value, true
}

// scalar describes a field with a single value: what it must be, in words, and the remedy if it is not.
type scalar struct {
	field, want string
	fix         remedy.Remedy
}

// read parses a single value. If it is absent or wrong, read returns the fallback; a wrong one is also a problem.
func read[T any](o Object, x scalar, fallback T, parse func(string) (T, error)) T {
	n, s, ok := o.scalar(x.field, x.want)
	if !ok {
		return fallback
	}
	v, err := parse(s)
	if err != nil {
		n.Problem(x.fix, "%s", err)
		return fallback
	}
	return v
}

// Text reads a text of one line without control characters; empty if absent.
func (o Object) Text(name string) string {
	return read(o, scalar{name, "a text", remedy.Advice("write one line of text")}, "", func(s string) (string, error) {
		if strings.TrimSpace(s) == "" {
			return "", fmt.Errorf("want a text, got %q", s)
		}
		if text.Printable(s) != s || strings.Contains(s, "\n") {
			return "", fmt.Errorf("want a text of one line without control characters, got %q", s)
		}
		return s, nil
	})
}

// Duration reads a duration of at most a day.
func (o Object) Duration(name string, fallback time.Duration) time.Duration {
	return read(o, scalar{name, "a duration", remedy.Value("5s, 250ms or 1m30s")}, fallback, target.ParseDuration)
}

// PositiveDuration reads a duration above zero; 0 if absent.
func (o Object) PositiveDuration(name string) time.Duration {
	return read(o, scalar{name, "a duration", remedy.Value("5s, 250ms or 1m30s")}, 0, func(s string) (time.Duration, error) {
		d, err := target.ParseDuration(s)
		if err == nil && d == 0 {
			err = fmt.Errorf("want a duration above 0s, got %q", s)
		}
		return d, err
	})
}

// Percentage reads a percentage above 0 %, because a limit of 0 % can never fail; 0 if absent.
func (o Object) Percentage(name string) target.Share {
	return read(o, scalar{name, "a percentage", remedy.Value("99.5%")}, 0, func(s string) (target.Share, error) {
		v, err := target.ParseShare(s)
		if err == nil && v == 0 {
			err = fmt.Errorf("want a percentage above 0%%, got %q: it can never fail", s)
		}
		return v, err
	})
}

// PercentageBelowAll reads a percentage below 100 %, because an upper limit of 100 % can never fail; 0 if absent.
func (o Object) PercentageBelowAll(name string) target.Share {
	return read(o, scalar{name, "a percentage", remedy.Value("50%")}, 0, func(s string) (target.Share, error) {
		v, err := target.ParseShare(s)
		if err == nil && v >= 1 {
			err = fmt.Errorf("want a percentage below 100%%, got %q: it can never fail", s)
		}
		return v, err
	})
}

// Number reads a number; 0 if absent.
func (o Object) Number(name string) float64 {
	return read(o, scalar{name, "a number", remedy.Value("100")}, 0, func(s string) (float64, error) {
		v, err := strconv.ParseFloat(s, 64)
		if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
			return 0, fmt.Errorf("want a number, got %q", s)
		}
		return v, nil
	})
}

// Rate reads a rate per second or minute; 0 if absent.
func (o Object) Rate(name string) target.Rate {
	return read(o, scalar{name, "a rate", remedy.Value("200/s or 90/m")}, 0, target.ParseRate)
}

// Whole reads a whole number of at least the given one.
func (o Object) Whole(name string, least, fallback int) int {
	want := fmt.Sprintf("a whole number of at least %d", least)
	return read(o, scalar{name, want, remedy.Value(fmt.Sprintf("%d", max(1, least)))}, fallback, func(s string) (int, error) {
		v, err := strconv.Atoi(s)
		if err != nil || v < least || v > math.MaxInt32 {
			return 0, fmt.Errorf("want %s, got %q", want, s)
		}
		return v, nil
	})
}

// Seed reads an unsigned number of 64 bits; 1 if absent.
func (o Object) Seed(name string) uint64 {
	return read(o, scalar{name, "a whole number", remedy.Value("42")}, 1, func(s string) (uint64, error) {
		v, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("want a whole number from 0 to 2⁶⁴-1, got %q", s)
		}
		return v, nil
	})
}

// Quantile reads a number between 0 and 1, both excluded; 0 if absent.
func (o Object) Quantile(name string) float64 {
	return read(o, scalar{name, "a quantile", remedy.Value("0.99")}, 0, func(s string) (float64, error) {
		v, err := strconv.ParseFloat(s, 64)
		if err != nil || !(v > 0 && v < 1) {
			return 0, fmt.Errorf("want a quantile between 0 and 1, got %q", s)
		}
		return v, nil
	})
}

// OneOf reads one of the given words; empty if absent.
func (o Object) OneOf(name string, words ...string) string {
	return read(o, scalar{name, strings.Join(words, " or "), Suggest("", words)}, "", func(s string) (string, error) {
		if !slices.Contains(words, s) {
			return "", fmt.Errorf("want %s, got %q", strings.Join(words, " or "), s)
		}
		return s, nil
	})
}

// State reads the state of a circuit breaker; empty if absent.
func (o Object) State(name string) telemetry.BreakerState {
	n, s, ok := o.scalar(name, "a breaker state")
	if !ok {
		return ""
	}
	return n.stateOf(s)
}

// States reads a list of successive states of a circuit breaker.
func (o Object) States(name string) []telemetry.BreakerState {
	var out []telemetry.BreakerState
	for _, item := range o.List(name) {
		if item.yaml.Kind != yaml.ScalarNode {
			item.Problem(Suggest("", breakerStates), "want a breaker state, got %s", describe(item.yaml))
			continue
		}
		s := item.stateOf(item.yaml.Value)
		if len(out) > 0 && out[len(out)-1] == s && s != "" {
			item.Problem(remedy.Advice("name each visit once"), "%s follows itself, but a breaker only ever changes state", s)
		}
		out = append(out, s)
	}
	return out
}

func (n Node) stateOf(s string) telemetry.BreakerState {
	for _, known := range breakerStates {
		if s == known {
			return telemetry.BreakerState(s)
		}
	}
	n.Problem(Suggest(s, breakerStates), "unknown breaker state %q", s)
	return ""
}

// Constant reports a problem unless the field has the one value that is possible.
func (o Object) Constant(name, want string) {
	if n, got, ok := o.scalar(name, want); ok && got != want {
		n.Problem(remedy.Value(fmt.Sprintf("%s: %s", name, want)), "want %s, got %q", want, got)
	}
}

var nameForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// Name reads a name of lower-case letters, digits and dashes; empty if absent.
func (o Object) Name(field string) string {
	return read(o, scalar{field, "a name", remedy.Advice("use lower-case letters, digits and dashes, at most 63")}, "", func(s string) (string, error) {
		if !nameForm.MatchString(s) {
			return "", fmt.Errorf("want a name, got %q", s)
		}
		return s, nil
	})
}

var methodForm = regexp.MustCompile(`^[A-Za-z_][\w.]*/[A-Za-z_]\w*$`)

// IsMethod reports whether s has the form package.Service/Method.
func IsMethod(s string) bool { return methodForm.MatchString(s) }
