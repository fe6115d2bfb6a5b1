// Command xdsclient is a program of a user that has no governance: a client that receives its configuration over gRPC's own xDS. It calls
// user.v1.UserService/GetUser at a rate and prints every second, as a line of JSON, how the calls of that second ended.
//
//	TARGET   such as xds:///userservice
//	RATE     calls per second; default 50
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	xdscreds "google.golang.org/grpc/credentials/xds"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	_ "google.golang.org/grpc/xds"

	"github.com/grpc-sandbox/sandbox/services/user/userv1"
)

// Second is how the calls of one second ended.
type Second struct {
	// Codes counts the calls by gRPC code.
	Codes map[string]int `json:"codes"`
	// SlowestMS is how long the slowest call took.
	SlowestMS int64 `json:"slowestMs"`
}

func main() {
	if err := run(os.Getenv("TARGET"), os.Getenv("RATE")); err != nil {
		fmt.Fprintln(os.Stderr, "xdsclient:", err)
		os.Exit(1)
	}
}

func run(target, rate string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	perSecond := 50
	if rate != "" {
		var err error
		if perSecond, err = strconv.Atoi(rate); err != nil || perSecond < 1 {
			return fmt.Errorf("RATE %q is not a number of calls per second", rate)
		}
	}
	creds, err := xdscreds.NewClientCredentials(xdscreds.ClientOptions{FallbackCreds: insecure.NewCredentials()})
	if err != nil {
		return err
	}
	conn, err := grpc.NewClient(target, grpc.WithTransportCredentials(creds))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	c := &counter{users: userv1.NewUserServiceClient(conn), second: Second{Codes: map[string]int{}}}
	arrivals, seconds := time.NewTicker(time.Second/time.Duration(perSecond)), time.NewTicker(time.Second)
	defer arrivals.Stop()
	defer seconds.Stop()
	out := json.NewEncoder(os.Stdout)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-arrivals.C:
			go c.call(ctx)
		case <-seconds.C:
			if err := out.Encode(c.take()); err != nil {
				return err
			}
		}
	}
}

type counter struct {
	users userv1.UserServiceClient

	mu     sync.Mutex
	second Second
}

// call makes one call. Its deadline is far above any that a policy of the test sets.
func (c *counter) call(ctx context.Context) {
	ctx, cancel := context.WithTimeout(metadata.AppendToOutgoingContext(ctx, "x-client", "xdsclient"), 10*time.Second)
	defer cancel()
	started := time.Now()
	_, err := c.users.GetUser(ctx, &userv1.GetUserRequest{UserId: "u-1"})
	took := time.Since(started).Milliseconds()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.second.Codes[status.Code(err).String()]++
	c.second.SlowestMS = max(c.second.SlowestMS, took)
}

// take returns the calls that ended since the last time.
func (c *counter) take() Second {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.second
	c.second = Second{Codes: map[string]int{}}
	return s
}
