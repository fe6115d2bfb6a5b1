package policy

import (
	"strings"
	"testing"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
)

// TestParse_NamesFieldValueAndRemedy has what people write who have read no documentation.
func TestParse_NamesFieldValueAndRemedy(t *testing.T) {
	deadline := func(value string) string { return "client: [{deadline: {timeout: " + value + "}}]" }
	for _, c := range []struct{ text, want string }{
		{deadline("30"), `client[0].deadline.timeout: "30" is not a duration; try: 30s`},
		{deadline("'30'"), `"30" is not a duration; try: 30s`},
		{deadline("0.5"), `"0.5" is not a duration; try: 0.5s`},
		{deadline("250"), `"250" is not a duration; try: 250ms`},
		{deadline("1 s"), `"1 s" is not a duration; try: 1s`},
		{deadline("2d"), `"2d" is not a duration; try: 48h`},
		{deadline("10%"), `"10%" is not a duration; try: 250ms`},
		{deadline("soon"), `"soon" is not a duration; try: 250ms`},
		{deadline("-30"), `"-30" is not a duration; try: 250ms`},
		{deadline(""), `"" is not a duration; try: 250ms`},
		{deadline("-1s"), "client[0].deadline.timeout: must be from 1ms to 8760h, not -1s"},
		{deadline("0s"), "must be from 1ms to 8760h, not 0s; try: none: true"},
		{deadline("0"), "must be from 1ms to 8760h, not 0; try: none: true"},
		{"server: [{deadline: {streamTimeout: 0s}}]", "not 0s; try: streamNone: true"},
		{"client: [{retry: {idempotent: true, maxAttempts: 2, perTryTimeout: 0s}}]", "client[0].retry.perTryTimeout: must be from 1ms to 8760h, not 0s"},
		{"client: [{percent: 10%}]", `client[0].percent: "10%" is not a number; try: 10`},
		{"client: [{percent: half}]", `client[0].percent: "half" is not a number`},
		{"client: [{percent: 101}]", "client[0].percent: must be from 0 to 100, not 101"},
		{"serverFaults: [{hang: {}, percent: -1}]", "serverFaults[0].percent: must be from 0 to 100, not -1"},
		{"client: [{breaker: {failureRatio: 25%}}]", `"25%" is not a number; try: 0.25`},
		{"client: [{breaker: {failureRatio: 25}}]", "must be above 0 and at most 1, not 25; try: 0.25"},
		{"client: [{breaker: {minCalls: 0}}]", "client[0].breaker.minCalls: must be at least 1, not 0"},
		{"client: [{breaker: {minCalls: 1.5}}]", `"1.5" is not a whole number from 0 to 4294967295`},
		{"client: [{breaker: {disabled: yes}}]", `"yes" is not true or false; try: true`},
		{"client: [{breaker: {disabled: off}}]", `"off" is not true or false; try: false`},
		{"client: [{breaker: {disabled: 'true'}}]", `"true" is not true or false; try: true, without quotes`},
		{"client: [{breaker: {disabled: maybe}}]", `"maybe" is not true or false; try: true or false`},
		{"server: [{rate: {limits: [{tokenBucket: {rate: 10/s}}]}}]", `"10/s" is not a number; try: 10`},
		{"tuning: {maxMessageBytes: 16MiB}", `tuning.maxMessageBytes: "16MiB" is not a whole number from 0 to 4294967295; try: 16777216`},
		{"client: [{retry: {maxAttempts: 3, idempotent: false}}]", "client[0].retry.idempotent: must be true: retry only methods that may be called twice"},
		{"client: [", "line 1: file: is not YAML: "},
		{"client:\n\t- percent: 10\n", "line 2: file: is not YAML: found character that cannot start any token; try: spaces for indentation"},
	} {
		t.Run(c.text, func(t *testing.T) {
			_, err := Parse([]byte(c.text))
			if err == nil {
				t.Fatal("accepted")
			}
			if got := remedy.Line(err, nil); !strings.Contains(got, c.want) || strings.Contains(got, ", not false") {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}
