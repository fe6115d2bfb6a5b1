// Command userservice serves user.v1.UserService.
package main

import (
	"os"

	"github.com/grpc-sandbox/sandbox/services/postgres"
	"github.com/grpc-sandbox/sandbox/services/user"
)

func main() {
	os.Exit(postgres.Main(user.Program, os.Stderr, os.Getenv))
}
