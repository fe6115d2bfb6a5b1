// Command inventoryservice serves inventory.v1.InventoryService.
package main

import (
	"os"

	"github.com/grpc-sandbox/sandbox/services/inventory"
	"github.com/grpc-sandbox/sandbox/services/postgres"
)

func main() {
	os.Exit(postgres.Main(inventory.Program, os.Stderr, os.Getenv))
}
