// Command client makes one call with governance, to the server at the address in its argument, and prints the answer.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"

	testv1 "google.golang.org/grpc/interop/grpc_testing"

	"github.com/grpc-sandbox/sandbox/services/governance"
)

func main() {
	flag.Parse()
	if err := run(context.Background(), flag.Arg(0)); err != nil {
		log.Fatalln("client:", err)
	}
}

func run(ctx context.Context, target string) error {
	p, err := governance.Start(ctx, os.Stderr, governance.Config{Service: "caller", TLSDir: "off"})
	if err != nil {
		return err
	}
	defer p.Close()
	conn, err := p.Dial(target, "echo")
	if err != nil {
		return err
	}
	answer, err := testv1.NewTestServiceClient(conn).UnaryCall(ctx, &testv1.SimpleRequest{Payload: &testv1.Payload{Body: []byte("hello")}})
	fmt.Printf("%s\n", answer.GetPayload().GetBody())
	return err
}
