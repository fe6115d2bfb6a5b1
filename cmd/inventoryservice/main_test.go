package main

import (
	"testing"

	"github.com/grpc-sandbox/sandbox/services/inventory"
	"github.com/grpc-sandbox/sandbox/services/postgres/pgtest"
)

func TestProgram_BadEnvironment(t *testing.T) {
	pgtest.RefusesBadEnvironment(t, "inventoryservice", inventory.Program, nil)
}
