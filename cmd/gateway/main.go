// Command gateway is the agent of the front gateway, which runs nginx. Its image is mounted into the container of nginx.
package main

import (
	"os"

	"github.com/grpc-sandbox/sandbox/services/gateway"
)

func main() {
	os.Exit(gateway.Main(os.Stderr, os.Getenv))
}
