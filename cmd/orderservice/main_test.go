package main

import (
	"testing"

	"github.com/grpc-sandbox/sandbox/services/order"
	"github.com/grpc-sandbox/sandbox/services/postgres/pgtest"
)

func TestProgram_BadEnvironment(t *testing.T) {
	pgtest.RefusesBadEnvironment(t, "orderservice", order.Program, nil)
}
