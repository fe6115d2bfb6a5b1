package governance

import "strings"

// bareMethod returns the name of a method as policies, metrics and events write it: package.Service/Method.
func bareMethod(fullMethod string) string { return strings.TrimPrefix(fullMethod, "/") }

// edge is a method of a callee. method has no leading slash.
type edge struct{ callee, method string }
