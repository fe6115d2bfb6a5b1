package loadgen

import (
	"context"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// gatewayConn is the connection of one load through a gateway. It can be replaced while calls use it.
type gatewayConn struct {
	mu sync.Mutex
	// now is the connection of new calls. It is nil when the load has ended.
	now *countedConn
}

// countedConn is a connection and the number of calls that use it. A retired connection is closed by its last call.
type countedConn struct {
	*grpc.ClientConn
	calls   int
	retired bool
}

func newGatewayConn(conn *grpc.ClientConn) *gatewayConn {
	return &gatewayConn{now: &countedConn{ClientConn: conn}}
}

// Invoke makes a call.
func (g *gatewayConn) Invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	g.mu.Lock()
	conn := g.now
	if conn == nil {
		g.mu.Unlock()
		return status.Error(codes.Canceled, "the load has ended")
	}
	conn.calls++
	g.mu.Unlock()
	defer func() {
		g.mu.Lock()
		conn.calls--
		last := conn.retired && conn.calls == 0
		g.mu.Unlock()
		if last {
			_ = conn.Close()
		}
	}()
	return conn.Invoke(ctx, method, args, reply, opts...)
}

// replace makes new calls use another connection. The former one is closed when its calls have ended. It returns false if the load has ended.
func (g *gatewayConn) replace(conn *grpc.ClientConn) bool {
	return g.retire(&countedConn{ClientConn: conn})
}

// close closes the connection when its calls have ended.
func (g *gatewayConn) close() { g.retire(nil) }

func (g *gatewayConn) retire(next *countedConn) bool {
	g.mu.Lock()
	former := g.now
	if former == nil {
		g.mu.Unlock()
		return false
	}
	g.now, former.retired = next, true
	unused := former.calls == 0
	g.mu.Unlock()
	if unused {
		_ = former.Close()
	}
	return true
}
