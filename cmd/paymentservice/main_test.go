package main

import (
	"testing"

	"github.com/grpc-sandbox/sandbox/services/payment"
	"github.com/grpc-sandbox/sandbox/services/postgres/pgtest"
)

func TestProgram_BadEnvironment(t *testing.T) {
	pgtest.RefusesBadEnvironment(t, "paymentservice", payment.Program, nil)
}
