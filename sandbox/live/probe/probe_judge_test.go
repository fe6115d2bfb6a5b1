package probe

import (
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
	"github.com/grpc-sandbox/sandbox/services/loadgen/loadgenv1"
)

// histogram returns n values.
func histogram(t *testing.T, n int64, value time.Duration) []byte {
	t.Helper()
	h := hdrhistogram.New(1, time.Minute.Microseconds(), 3)
	if err := h.RecordValues(value.Microseconds(), n); err != nil {
		t.Fatal(err)
	}
	text, err := h.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestRateLimit_Judge(t *testing.T) {
	l := rateLimit{limit: 50}
	for _, c := range []struct {
		sentence          string
		counted           counted
		verdict, observed string
	}{
		{"at the limit", counted{2000, 498, 1502}, Enforced, "49.8/s admitted of 200.0/s offered over 10 s; up to 55.0/s is tolerated"},
		{"below it, because other callers use it", counted{2000, 300, 1700}, Enforced, "30.0/s admitted of 200.0/s offered over 10 s; up to 55.0/s is tolerated"},
		{"within the tolerance", counted{2000, 549, 1451}, Enforced, "54.9/s admitted of 200.0/s offered over 10 s; up to 55.0/s is tolerated"},
		{"above it", counted{2000, 1990, 10}, NotEnforced, "199.0/s admitted of 200.0/s offered over 10 s, more than the tolerated 55.0/s"},
		{"nothing was refused", counted{2000, 300, 0}, NotProbed, "30.0/s admitted of 200.0/s offered over 10 s, but the service refused none"},
	} {
		if verdict, observed := l.judge(c.counted, 10*time.Second); verdict != c.verdict || observed != c.observed {
			t.Errorf("%s: %s, %s", c.sentence, verdict, observed)
		}
	}
}

func TestRateLimit_CountsCallsThatReachedTheService(t *testing.T) {
	all := []*loadgenv1.LoadStats{
		{Target: "userservice", Method: "a.B/Get", Intended: 100, Ok: 50, Errors: map[string]int64{"RESOURCE_EXHAUSTED": 20, "UNAVAILABLE": 10, "OVERLOADED": 5, "NOT_FOUND": 15},
			Refused: map[string]int64{refusal.ReasonTooManyCalls: 3, refusal.ReasonBreakerOpen: 4}},
		{Target: "userservice", Method: "a.B/List", Intended: 7, Ok: 7},
		{Target: "orderservice", Method: "a.B/Get", Intended: 1000, Ok: 1000},
	}
	method := Method{Name: "a.B/Get"}
	if got, want := (rateLimit{method: method}).count(all, "userservice"), (counted{100, 71, 17}); got != want {
		t.Errorf("of one method: %+v, want %+v", got, want)
	}
	if got, want := (rateLimit{method: method, whole: true}).count(all, "userservice"), (counted{107, 78, 17}); got != want {
		t.Errorf("of the whole service: %+v, want %+v", got, want)
	}
}

func TestDeadline_Judge(t *testing.T) {
	late := func(n, sent int64, after time.Duration) *loadgenv1.LoadStats {
		return &loadgenv1.LoadStats{Sent: sent, Ok: sent - n, Errors: map[string]int64{"DEADLINE_EXCEEDED": n}, FailedHistogram: histogram(t, n, after)}
	}
	for _, c := range []struct {
		sentence          string
		timeout           time.Duration
		stats             *loadgenv1.LoadStats
		verdict, observed string
	}{
		{"at the deadline", 250 * time.Millisecond, late(12, 12, 251*time.Millisecond), Enforced, "12 of 12 calls that would take 2.25s ended with DEADLINE_EXCEEDED, after 251ms (median)"},
		{"at the default instead", 250 * time.Millisecond, late(12, 12, time.Second), NotEnforced, "12 of 12 calls that would take 2.25s ended with DEADLINE_EXCEEDED, after 1s (median)"},
		{"too early", 10 * time.Second, late(12, 12, time.Second), NotEnforced, "12 of 12 calls that would take 12s ended with DEADLINE_EXCEEDED, after 1s (median)"},
		{"not at all", 250 * time.Millisecond, late(0, 12, 0), NotEnforced, "0 of 12 calls that would take 2.25s ended with DEADLINE_EXCEEDED"},
		{"switched off", 0, late(0, 12, 0), Enforced, "0 of 12 calls that would take 1.5s ended with DEADLINE_EXCEEDED"},
		{"not switched off", 0, late(12, 12, time.Second), NotEnforced, "12 of 12 calls that would take 1.5s ended with DEADLINE_EXCEEDED, after 1s (median)"},
		{"no call", time.Second, late(0, 0, 0), NotProbed, "no call was made"},
	} {
		verdict, observed, err := deadline{timeout: c.timeout}.judge(c.stats)
		if verdict != c.verdict || observed != c.observed || err != nil {
			t.Errorf("%s: %s, %s, %v", c.sentence, verdict, observed, err)
		}
	}
	if _, _, err := (deadline{}).judge(&loadgenv1.LoadStats{FailedHistogram: []byte("no histogram")}); err == nil {
		t.Error("a broken histogram was accepted")
	}
}

func TestRetrying_Judge(t *testing.T) {
	for _, c := range []struct {
		sentence     string
		attempts     uint32
		failed, sent int64
		verdict      string
	}{
		{"retries hide the failures", 3, 1, 400, Enforced},
		{"without retries the callers see them", 3, 21, 400, NotEnforced},
		{"retries that are switched off", 1, 21, 400, Enforced},
		{"retries that are not switched off", 1, 0, 400, NotEnforced},
		{"too few calls", 3, 0, 100, NotProbed},
	} {
		s := &loadgenv1.LoadStats{Sent: c.sent, Errors: map[string]int64{"ABORTED": c.failed, "RESOURCE_EXHAUSTED": 90}}
		if verdict, observed := (retrying{attempts: c.attempts, code: "ABORTED"}).judge(s); verdict != c.verdict {
			t.Errorf("%s: %s, %s", c.sentence, verdict, observed)
		}
	}
}

func TestBreaking_Judge(t *testing.T) {
	for _, c := range []struct {
		sentence          string
		disabled          bool
		failed, refused   int64
		verdict, observed string
	}{
		{"it opens", false, 31, 2, Enforced, "the breaker opened after 31 failed calls and refused 2"},
		{"it stays closed", false, 90, 0, NotEnforced, "the breaker stayed closed while 90 calls failed"},
		{"it opens far too early", false, 5, 2, NotEnforced, "the breaker opened after 5 failed calls and refused 2"},
		{"it is switched off", true, 90, 0, Enforced, "the breaker stayed closed while 90 calls failed"},
		{"it is not switched off", true, 20, 70, NotEnforced, "the breaker opened after 20 failed calls"},
	} {
		if verdict, observed := (breaking{minCalls: 30, disabled: c.disabled}).judge(c.failed, c.refused); verdict != c.verdict || observed != c.observed {
			t.Errorf("%s: %s, %s", c.sentence, verdict, observed)
		}
	}
}

func TestServerDeadline_Judge(t *testing.T) {
	required := refusal.New(codes.InvalidArgument, refusal.ReasonDeadlineRequired, "no deadline")
	for _, c := range []struct {
		sentence          string
		probe             serverDeadline
		took              time.Duration
		err               error
		verdict, observed string
	}{
		{"at the deadline", serverDeadline{timeout: time.Second}, 1010 * time.Millisecond, status.Error(codes.DeadlineExceeded, "late"), Enforced,
			"a call without a deadline that would take 3s ended with DEADLINE_EXCEEDED after 1.01s"},
		{"never", serverDeadline{timeout: time.Second}, 3 * time.Second, nil, NotEnforced, "a call without a deadline that would take 3s ended with OK after 3s"},
		{"at another one", serverDeadline{timeout: time.Second}, 2500 * time.Millisecond, status.Error(codes.DeadlineExceeded, "late"), NotEnforced,
			"a call without a deadline that would take 3s ended with DEADLINE_EXCEEDED after 2.5s"},
		{"required", serverDeadline{required: true}, 0, required, Enforced, "a call without a deadline ended with INVALID_ARGUMENT: DEADLINE_REQUIRED"},
		{"not required", serverDeadline{required: true}, 0, nil, NotEnforced, "a call without a deadline ended with OK"},
		{"another caller", serverDeadline{required: true}, 0, refusal.New(codes.PermissionDenied, refusal.ReasonCallerNotAllowed, "no"), NotProbed, "the command line may not call the service"},
		{"a full bucket", serverDeadline{timeout: time.Second}, 0, refusal.New(codes.ResourceExhausted, refusal.ReasonRateLimited, "no"), NotProbed, "a rate limit refused every call"},
	} {
		if verdict, observed := c.probe.judge(c.took, c.err); verdict != c.verdict || observed != c.observed {
			t.Errorf("%s: %s, %s", c.sentence, verdict, observed)
		}
	}
}

func TestBulkhead_Judge(t *testing.T) {
	for _, c := range []struct {
		sentence          string
		full              int
		others            map[codes.Code]int
		verdict, observed string
	}{
		{"at the limit", 5, map[codes.Code]int{codes.OK: 8}, Enforced, "8 of 13 calls at once admitted by one pod, 5 refused"},
		{"above it", 0, map[codes.Code]int{codes.OK: 13}, NotEnforced, "13 of 13 calls at once admitted by one pod, 0 refused"},
		{"another reason", 5, map[codes.Code]int{codes.Unavailable: 8}, NotProbed, "0 of 13 calls at once admitted by one pod, 5 refused; 8 calls failed for another reason"},
	} {
		if verdict, observed := (bulkhead{limit: 8}).judge(c.full, c.others); verdict != c.verdict || observed != c.observed {
			t.Errorf("%s: %s, %s", c.sentence, verdict, observed)
		}
	}
}
