package governance

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	testv1 "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/internal/pause"
)

// TestDial_SilentPeer takes the network away below a connection, as when a node loses power. It does so in a network of its own, in a child
// process.
func TestDial_SilentPeer(t *testing.T) {
	const inside = "GOVERNANCE_TEST_NETWORK"
	if os.Getenv(inside) != "" {
		silentPeer(t)
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "/proc/self/exe", "-test.run=^TestDial_SilentPeer$", "-test.v", "-test.count=1") //nolint:gosec // the test binary itself
	cmd.Env = append(os.Environ(), inside+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}}
	output, err := cmd.CombinedOutput()
	switch {
	case err == nil && strings.Contains(string(output), "--- PASS"):
	case strings.Contains(string(output), "--- FAIL"):
		t.Errorf("%s", output)
	default:
		t.Skip("this system allows no network namespace:", err)
	}
}

func silentPeer(t *testing.T) {
	must(t, loopback(true))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	s := grpc.NewServer()
	testv1.RegisterTestServiceServer(s, echo)
	go func() { _ = s.Serve(l) }()
	defer s.Stop()
	dialed := make(chan *net.TCPConn, 1)
	conn, err := Dial("passthrough:///"+l.Addr().String(), ClientConfig{Callee: "callee", Log: quiet, Policy: policyOf(t, "connections: [{tuning: {keepaliveTimeout: 1s}}]"),
		Options: []grpc.DialOption{grpc.WithTransportCredentials(tcpProbes{insecure.NewCredentials(), time.Second, time.Second}), dialing(dialed)}})
	must(t, err)
	defer conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	stream, err := testv1.NewTestServiceClient(conn).FullDuplexCall(ctx)
	must(t, err)
	must(t, stream.Send(&testv1.StreamingOutputCallRequest{}))
	_, err = stream.Recv()
	must(t, err)
	// Only a probe can notice the silence once everything that was sent is acknowledged. The probes themselves are timers of the kernel, which run in
	// real time.
	must(t, acknowledged(ctx, <-dialed))
	must(t, loopback(false))
	if _, err = stream.Recv(); status.Code(err) != codes.Unavailable {
		t.Error(err)
	}
}

// A silent peer is noticed after 13 s by default: an idle connection by the probes, one with calls by TCP_USER_TIMEOUT.
func TestDial_ProbesTCP(t *testing.T) {
	for _, c := range []struct {
		tuning                      string
		idle, interval, userTimeout int
	}{{"{}", 10, 3, 3000}, {"{keepaliveTime: 20s, keepaliveTimeout: 5s}", 20, 5, 5000}} {
		addr := tcp(t, fake{}, ServerConfig{})
		dialed := make(chan *net.TCPConn, 1)
		conn, err := Dial("passthrough:///"+addr, ClientConfig{Callee: "callee", Log: quiet, Policy: policyOf(t, "connections: [{tuning: "+c.tuning+"}]"),
			Options: []grpc.DialOption{dialing(dialed)}})
		must(t, err)
		_, err = testv1.NewTestServiceClient(conn).UnaryCall(t.Context(), &testv1.SimpleRequest{})
		must(t, err)
		raw, err := (<-dialed).SyscallConn()
		must(t, err)
		must(t, raw.Control(func(fd uintptr) {
			for option, want := range map[int]int{unix.TCP_KEEPIDLE: c.idle, unix.TCP_KEEPINTVL: c.interval, unix.TCP_KEEPCNT: 1, unix.TCP_USER_TIMEOUT: c.userTimeout} {
				if got, err := unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, option); err != nil || got != want {
					t.Errorf("%s: option %d is %d (%v), want %d", c.tuning, option, got, err, want)
				}
			}
			if on, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_KEEPALIVE); err != nil || on != 1 {
				t.Error("no probes:", on, err)
			}
		}))
		must(t, conn.Close())
	}
}

// dialing sends each connection that is made to a channel. The dialer sets no probes.
func dialing(dialed chan<- *net.TCPConn) grpc.DialOption {
	return grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{KeepAlive: -1}).DialContext(ctx, "tcp", address)
		if err == nil {
			dialed <- conn.(*net.TCPConn)
		}
		return conn, err
	})
}

// acknowledged waits until the peer has acknowledged everything that was sent over a connection.
func acknowledged(ctx context.Context, conn *net.TCPConn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	return pause.Until(ctx, time.Millisecond, func(context.Context) (bool, error) {
		var unsent, unacknowledged int
		var err, infoErr error
		cerr := raw.Control(func(fd uintptr) {
			unsent, err = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ)
			var info *unix.TCPInfo
			if info, infoErr = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO); infoErr == nil {
				unacknowledged = int(info.Unacked)
			}
		})
		return unsent+unacknowledged == 0, errors.Join(cerr, err, infoErr)
	})
}

// loopback switches the loopback interface on or off.
func loopback(up bool) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	flags := uint16(0)
	if up {
		flags = unix.IFF_UP
	}
	lo.SetUint16(flags)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, lo)
}

// TestTuning_KeepaliveNone reads the option of the socket, which Go and grpc-go switch on by default.
func TestTuning_KeepaliveNone(t *testing.T) {
	for text, want := range map[string]int{"": 1, "connections: [{tuning: {keepaliveNone: true}}]": 0} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		must(t, err)
		s := grpc.NewServer()
		testv1.RegisterTestServiceServer(s, echo)
		go func() { _ = s.Serve(l) }()
		defer s.Stop()
		var dialed net.Conn
		conn, err := Dial("passthrough:///"+l.Addr().String(), ClientConfig{Callee: "callee", Log: quiet, Policy: policyOf(t, text),
			Options: []grpc.DialOption{grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
				var err error
				dialed, err = (&net.Dialer{}).DialContext(ctx, "tcp", address)
				return dialed, err
			})}})
		must(t, err)
		defer conn.Close()
		_, err = testv1.NewTestServiceClient(conn).EmptyCall(t.Context(), &testv1.Empty{})
		if status.Code(err) != codes.Unimplemented {
			must(t, err)
		}
		raw, err := dialed.(*net.TCPConn).SyscallConn()
		must(t, err)
		must(t, raw.Control(func(fd uintptr) {
			if got, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_KEEPALIVE); err != nil || got != want {
				t.Errorf("%q: SO_KEEPALIVE is %d, want %d: %v", text, got, want, err)
			}
		}))
	}
}
