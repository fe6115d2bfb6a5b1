package governance

import (
	"google.golang.org/grpc/codes"

	"github.com/grpc-sandbox/sandbox/services/governance/internal/rpccode"
)

// IsFailure reports whether a code indicates a problem of the callee. A refusal that is the caller's fault, such as NOT_FOUND or
// INVALID_ARGUMENT, does not.
func IsFailure(code codes.Code) bool { return rpccode.IsFailure(code) }
