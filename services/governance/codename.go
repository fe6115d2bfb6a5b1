package governance

import (
	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc/codes"
)

// codeName is the name in the protocol: DEADLINE_EXCEEDED, not DeadlineExceeded.
func codeName(c codes.Code) string { return code.Code(c).String() }

func codeNamed(name string) (codes.Code, bool) {
	n, known := code.Code_value[name]
	return codes.Code(n), known
}
