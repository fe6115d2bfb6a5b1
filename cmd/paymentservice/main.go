// Command paymentservice serves payment.v1.PaymentService.
package main

import (
	"os"

	"github.com/grpc-sandbox/sandbox/services/payment"
	"github.com/grpc-sandbox/sandbox/services/postgres"
)

func main() {
	os.Exit(postgres.Main(payment.Program, os.Stderr, os.Getenv))
}
