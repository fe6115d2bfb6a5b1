package rpccode

import (
	"context"
	"slices"
	"testing"

	"google.golang.org/grpc/codes"
)

func TestIsFailure_Codes(t *testing.T) {
	failures := []codes.Code{codes.Unavailable, codes.DeadlineExceeded, codes.Internal, codes.Unknown, codes.DataLoss, codes.ResourceExhausted}
	for c := codes.OK; c <= codes.Unauthenticated; c++ {
		if got, want := IsFailure(c), slices.Contains(failures, c); got != want {
			t.Errorf("IsFailure(%s) = %v", c, got)
		}
		if back, known := Named(Name(c)); back != c || !known {
			t.Errorf("%s is written %s, and read %s", c, Name(c), back)
		}
	}
}

func TestOf_ContextErrors(t *testing.T) {
	if Of(context.DeadlineExceeded) != codes.DeadlineExceeded || Of(context.Canceled) != codes.Canceled {
		t.Error("a context error without a status has the wrong code")
	}
}
