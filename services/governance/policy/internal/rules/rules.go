// Package rules checks a policy against the rules with which its proto is annotated. Package rulegen generates the check of each message, because
// protovalidate, which evaluates the same annotations, would add CEL to every process: 6 MB, and 12 MB of memory.
package rules

//go:generate go run ../rulegen -o generated.go

// Violation is a value that breaks a rule.
type Violation struct {
	// Field is the path of the field, as it is written in a file: client[1].breaker.failureRatio. It is empty for the message as a whole.
	Field string
	// Rule is the id of the rule, which is the same as in protovalidate.
	Rule string
	// Why states what is wrong, with the legal range.
	Why string
	// Try is a value that would be accepted, or empty.
	Try string
}

// checker collects violations.
type checker struct{ violations []Violation }

func (c *checker) add(field, rule, why, try string) {
	c.violations = append(c.violations, Violation{field, rule, why, try})
}

// choose is the conditional expression of CEL.
func choose[T any](condition bool, yes, no T) T {
	if condition {
		return yes
	}
	return no
}
