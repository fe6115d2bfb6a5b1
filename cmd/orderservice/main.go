// Command orderservice serves order.v1.OrderService.
package main

import (
	"os"

	"github.com/grpc-sandbox/sandbox/services/order"
	"github.com/grpc-sandbox/sandbox/services/postgres"
)

func main() {
	os.Exit(postgres.Main(order.Program, os.Stderr, os.Getenv))
}
