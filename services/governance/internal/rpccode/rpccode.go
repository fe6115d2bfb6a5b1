// Package rpccode reads gRPC codes from errors, converts them to their names in the protocol, and tells which of them count as failures.
package rpccode

import (
	"context"
	"errors"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Of returns the code of an error. It recognizes context errors too, which have no gRPC status.
func Of(err error) codes.Code {
	switch {
	case err == nil:
		return codes.OK
	case errors.Is(err, context.DeadlineExceeded):
		return codes.DeadlineExceeded
	case errors.Is(err, context.Canceled):
		return codes.Canceled
	}
	return status.Code(err)
}

// Name returns the name of a code in the protocol, such as DEADLINE_EXCEEDED.
func Name(c codes.Code) string { return code.Code(c).String() }

// Named returns the code with a name.
func Named(name string) (codes.Code, bool) {
	n, known := code.Code_value[name]
	return codes.Code(n), known
}

// IsFailure reports whether a code indicates a problem of the callee. A refusal that is the caller's fault, such as NOT_FOUND or
// INVALID_ARGUMENT, does not.
func IsFailure(c codes.Code) bool {
	switch c {
	case codes.Unavailable, codes.DeadlineExceeded, codes.Internal, codes.Unknown, codes.DataLoss, codes.ResourceExhausted:
		return true
	default:
		return false
	}
}
