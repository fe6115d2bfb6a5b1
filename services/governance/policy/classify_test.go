package policy

import (
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
)

func TestClassify_Checks(t *testing.T) {
	for text, want := range map[string]string{
		"{failures: [NOT_FOUND], successes: [UNAVAILABLE], ignored: [INTERNAL]}": "",
		"{}":                     "",
		"{failures: [NotFound]}": `client[0].classify.failures[0]: "NotFound" is not CANCELLED, UNKNOWN,`,
		"{ignored: [OK]}":        `client[0].classify.ignored[0]: "OK" is not CANCELLED, UNKNOWN,`,
		"{failures: [ABORTED], ignored: [INTERNAL, ABORTED]}":   "client[0].classify.failures: cannot have a code that is in successes or ignored, too",
		"{failures: [ABORTED], successes: [INTERNAL, ABORTED]}": "client[0].classify.failures: cannot have a code that is in successes or ignored, too",
		"{successes: [ABORTED], ignored: [ABORTED]}":            "client[0].classify.successes: cannot have a code that is in ignored, too",
		"{successes: [ABORTED, ABORTED]}":                       "client[0].classify.successes: has an item twice",
	} {
		if _, err := Parse([]byte("client: [{classify: " + text + "}]")); want == "" && err != nil || want != "" && (err == nil || !strings.Contains(remedy.Line(err, nil), want)) {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
}

func TestClientRule_ClassOfExemptMethods(t *testing.T) {
	rules := compile(parsed(t, "client: [{classify: {failures: [NOT_FOUND]}}]"), "")
	for method, want := range map[string]Class{"user.v1.UserService/GetUser": ClassFailure, "grpc.health.v1.Health/Check": ClassSuccess} {
		if got, named := rules.Client("x", method).Class(codes.NotFound); got != want || named != (want == ClassFailure) {
			t.Errorf("%s: %s, named %v", method, got, named)
		}
	}
}
