package subscriber_test

import (
	"context"
	"fmt"
	"io"
	"time"

	"google.golang.org/grpc"

	"github.com/grpc-sandbox/sandbox/services/control/subscriber"
	"github.com/grpc-sandbox/sandbox/services/governance"
)

// A server that enforces what the control plane pushes. Here no control plane can be reached: the program waits for its policy at most ReadyWithin,
// and then serves with its defaults.
func ExampleStart() {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	cfg := governance.Config{Service: "greeter", TLSDir: "off", ListenAddr: "127.0.0.1:0", HealthAddr: "127.0.0.1:0", MetricsAddr: "127.0.0.1:0", DrainDelay: governance.Off}
	cfg.Ready = func(governance.Addresses) {
		fmt.Println("serving")
		stop()
	}
	err := governance.Run(ctx, io.Discard, cfg, func(p *governance.Process, s *grpc.Server) error {
		// greeterv1.RegisterGreeterServer(s, greeter{})
		return subscriber.Start(p, subscriber.Config{Addr: "127.0.0.1:1", Namespace: "shop", ReadyWithin: 100 * time.Millisecond})
	})
	fmt.Println(err)
	// Output:
	// serving
	// <nil>
}
