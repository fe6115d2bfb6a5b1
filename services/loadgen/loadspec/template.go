package loadspec

import (
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
)

// Template is a text with placeholders for random numbers. {{ n 1 1000 }} is a whole number from 1 to 1000, both included, with a uniform
// distribution.
type Template struct {
	// texts has one more element than ranges.
	texts  []string
	ranges []span
}

type span struct{ from, to int64 }

var (
	placeholder  = regexp.MustCompile(`(?s)\{\{.*?\}\}`)
	rangePattern = regexp.MustCompile(`^\{\{\s*n\s+(-?\d+)\s+(-?\d+)\s*\}\}$`)
)

// ParseTemplate parses a template. An unknown placeholder is an error.
func ParseTemplate(text string) (*Template, error) {
	t := &Template{}
	end := 0
	for _, at := range placeholder.FindAllStringIndex(text, -1) {
		say := text[at[0]:at[1]]
		match := rangePattern.FindStringSubmatch(say)
		if match == nil {
			return nil, remedy.Errorf(remedy.Value("{{ n 1 1000 }}"), "reading the template: %s is unknown", say)
		}
		from, err1 := strconv.ParseInt(match[1], 10, 64)
		to, err2 := strconv.ParseInt(match[2], 10, 64)
		if err1 != nil || err2 != nil || from > to || to-from < 0 || to-from+1 <= 0 {
			return nil, remedy.Errorf(remedy.Value("{{ n 1 1000 }}"), "reading the template: %s names no range", say)
		}
		t.texts = append(t.texts, text[end:at[0]])
		t.ranges = append(t.ranges, span{from, to})
		end = at[1]
	}
	t.texts = append(t.texts, text[end:])
	for _, rest := range t.texts {
		// In JSON two braces in a row occur only in a text.
		if strings.Contains(rest, "{{") {
			return nil, remedy.Errorf(remedy.Value("{{ n 1 1000 }}"), "reading the template: {{ is not closed")
		}
	}
	return t, nil
}

// Render returns the text for arrival n of a load with this seed. The same arguments always return the same text.
func (t *Template) Render(seed, n int64) string {
	if len(t.ranges) == 0 {
		return t.texts[0]
	}
	random := rand.New(rand.NewPCG(uint64(seed), uint64(n))) //nolint:gosec // repeatable on purpose
	var b strings.Builder
	for i, r := range t.ranges {
		b.WriteString(t.texts[i])
		b.WriteString(strconv.FormatInt(r.from+random.Int64N(r.to-r.from+1), 10))
	}
	b.WriteString(t.texts[len(t.ranges)])
	return b.String()
}
