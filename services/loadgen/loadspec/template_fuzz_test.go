package loadspec

import (
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// FuzzTemplate_RoundTrip checks that a template can be written and parsed again without a difference, and that rendering puts a number within its range
// into each placeholder, changes nothing else, and is repeatable.
func FuzzTemplate_RoundTrip(f *testing.F) {
	for _, text := range []string{`{"id":"u-{{ n 1 1000 }}"}`, `{{n 1 1}}{{n -3 -2}}`, `{"a":{"b":{}}}`, `{{ uuid }}`, "{{ n 1 2\n}}", `{{ n -9223372036854775808 -2 }}`, `{{ n 0 9223372036854775807 }}`, `{{{ n 1 2 }}}`} {
		f.Add(text, int64(42), int64(7))
	}
	unfilled := regexp.MustCompile(`\{\{\s*n\s+-?\d+\s+-?\d+\s*\}\}`)
	f.Fuzz(func(t *testing.T, text string, seed, n int64) {
		tpl, err := ParseTemplate(text)
		if err != nil {
			return
		}
		if again, err := ParseTemplate(written(tpl)); err != nil || !reflect.DeepEqual(again, tpl) {
			t.Fatalf("%q was written as %q, and that read as %v: %v", text, written(tpl), again, err)
		}
		numbers := numbersOf(t, tpl, seed, n)
		want := tpl.texts[0]
		for i, number := range numbers {
			if number < tpl.ranges[i].from || number > tpl.ranges[i].to {
				t.Errorf("%q: %d is not in %v", text, number, tpl.ranges[i])
			}
			want += strconv.FormatInt(number, 10) + tpl.texts[i+1]
		}
		if got, again := tpl.Render(seed, n), tpl.Render(seed, n); got != want || again != want {
			t.Errorf("%q gave %q, then %q, want %q", text, got, again, want)
		}
		if left := unfilled.FindString(strings.Join(tpl.texts, " ")); left != "" {
			t.Errorf("%q has the placeholder %q, which is not replaced", text, left)
		}
	})
}

// written returns the text of a template.
func written(t *Template) string {
	var b strings.Builder
	for i, r := range t.ranges {
		fmt.Fprintf(&b, "%s{{ n %d %d }}", t.texts[i], r.from, r.to)
	}
	return b.String() + t.texts[len(t.ranges)]
}

// numbersOf returns the numbers that rendering puts into the placeholders. It renders a template with the same placeholders and only commas
// between them.
func numbersOf(t *testing.T, tpl *Template, seed, n int64) (numbers []int64) {
	t.Helper()
	texts := make([]string, len(tpl.texts))
	for i := range texts {
		texts[i] = ","
	}
	apart := strings.Split(strings.Trim((&Template{texts: texts, ranges: tpl.ranges}).Render(seed, n), ","), ",")
	for _, text := range apart[:len(tpl.ranges)] {
		number, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		numbers = append(numbers, number)
	}
	return numbers
}
