package refusal

// Reasons in the ErrorInfo of calls that governance refuses. The README of governance explains each of them.
const (
	ReasonBreakerOpen      = "BREAKER_OPEN"
	ReasonTooManyCalls     = "TOO_MANY_CALLS"
	ReasonThrottled        = "THROTTLED"
	ReasonDeadlineRequired = "DEADLINE_REQUIRED"
	ReasonDeadlinePassed   = "DEADLINE_PASSED"
	ReasonBulkheadFull     = "BULKHEAD_FULL"
	ReasonRateLimited      = "RATE_LIMITED"
	ReasonOverloaded       = "OVERLOADED"
	ReasonCallerNotAllowed = "CALLER_NOT_ALLOWED"
	ReasonFaultInjected    = "FAULT_INJECTED"
)
