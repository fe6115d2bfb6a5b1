package policy

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// number is a number, and what follows it: 10 and % in 10%.
var number = regexp.MustCompile(`^(-?[0-9]+(?:\.[0-9]+)?)\s*(.*)$`)

// durationHint returns what was probably meant by a text that is not a duration: 30 is 30s, 250 is 250ms, 1 s is 1s, and 2d is 48h.
func durationHint(text string) string {
	const fallback = "250ms"
	m := number.FindStringSubmatch(text)
	if m == nil {
		return fallback
	}
	n, unit := m[1], m[2]
	switch v, err := strconv.ParseFloat(n, 64); {
	case err != nil || v <= 0:
		return fallback
	case unit == "" && v < 100:
		unit = "s"
	case unit == "":
		unit = "ms"
	case unit == "d":
		n, unit = strconv.FormatFloat(24*v, 'f', -1, 64), "h"
	}
	if _, err := time.ParseDuration(n + unit); err != nil {
		return fallback
	}
	return n + unit
}

// sizes are the units of bytes that people write.
var sizes = map[string]float64{"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30, "KB": 1e3, "MB": 1e6, "GB": 1e9}

// numberHint returns what was probably meant by a text that is not a number of the field, or "": 10% is 10 percent, and a ratio of 0.1; 10/s is 10.
func numberHint(fd protoreflect.FieldDescriptor, text string) string {
	m := number.FindStringSubmatch(text)
	if m == nil || m[2] == "" {
		return ""
	}
	v, err := strconv.ParseFloat(m[1], 64)
	if err != nil || v < 0 {
		return ""
	}
	name := strings.ToLower(string(fd.Name()))
	switch unit := m[2]; {
	case strings.HasSuffix(name, "bytes") && sizes[unit] > 0:
		v *= sizes[unit]
	case unit == "%" && strings.HasSuffix(name, "ratio"):
		v /= 100
	case unit == "%" && strings.HasSuffix(name, "percent"), strings.HasPrefix(unit, "/s"):
	default:
		return ""
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}

// boolHint returns true or false as YAML 1.2 writes them.
func boolHint(text string) string {
	switch strings.ToLower(text) {
	case "true", "false":
		return strings.ToLower(text) + ", without quotes"
	case "yes", "on", "y", "1":
		return "true"
	case "no", "off", "n", "0":
		return "false"
	}
	return "true or false"
}

// switches are the fields that switch a time-out off.
var switches = map[string]string{"timeout": "none: true", "streamTimeout": "streamNone: true"}

// complete adds the value to a problem that names the legal ones, and what was probably meant.
func (r *reader) complete(p *Problem) {
	value, written := r.values[p.Field]
	if !written || !strings.HasPrefix(p.Why, "must be ") || !strings.ContainsAny(p.Why, "0123456789") {
		return
	}
	p.Why += ", not " + value
	name := p.Field[strings.LastIndexByte(p.Field, '.')+1:]
	if d, err := time.ParseDuration(value); err == nil && d == 0 && switches[name] != "" && strings.HasSuffix(strings.ToLower(p.Field), "deadline."+strings.ToLower(name)) {
		p.Try = switches[name]
	}
	if v, err := strconv.ParseFloat(value, 64); err == nil && v > 1 && v < 100 && strings.HasSuffix(name, "Ratio") && p.Try == "" {
		p.Try = fmt.Sprint(v / 100)
	}
}
