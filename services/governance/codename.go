package governance

import (
	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc/codes"
)

// codeName returns the name of a code in the protocol, such as DEADLINE_EXCEEDED.
func codeName(c codes.Code) string { return code.Code(c).String() }

// codeNamed returns the code with a name.
func codeNamed(name string) (codes.Code, bool) {
	n, known := code.Code_value[name]
	return codes.Code(n), known
}
