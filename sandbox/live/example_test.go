package live_test

import (
	"context"
	"fmt"

	"github.com/grpc-sandbox/sandbox/sandbox"
	"github.com/grpc-sandbox/sandbox/sandbox/live"
	"github.com/grpc-sandbox/sandbox/services/user/userclient"
)

// Two sandboxes that are up are called through connections of one process.
func Example() {
	ctx := context.Background()
	folders := sandbox.Folders{Config: "/home/dev/.config/sandbox", Cache: "/home/dev/.cache/sandbox", State: "/home/dev/.local/state/sandbox"}
	for _, name := range []string{"blue", "green"} {
		c, err := live.Open(ctx, folders, name)
		if err != nil {
			fmt.Println(err)
			return
		}
		defer c.Close()
		conn, err := c.Dial(ctx, "userservice")
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(name, userclient.Probe(ctx, conn))
	}
}
