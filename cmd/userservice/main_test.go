package main

import (
	"testing"

	"github.com/grpc-sandbox/sandbox/services/postgres/pgtest"
	"github.com/grpc-sandbox/sandbox/services/user"
)

func TestProgram_BadEnvironment(t *testing.T) {
	pgtest.RefusesBadEnvironment(t, "userservice", user.Program, map[string]string{"CHAT_KEEP": "0"})
}
