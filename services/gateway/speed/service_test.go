//go:build linux

package speed

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/order/orderv1"
	"github.com/grpc-sandbox/sandbox/services/user/userv1"
)

// The stream of 10 MB: its messages have 62.5 kB each.
const (
	streamBytes   = 10_000_000
	messageBytes  = 62_500
	messageNumber = streamBytes / messageBytes
)

// text is that of a message.
var text = strings.Repeat("x", messageBytes)

// What a partner asks for in the room of the first message of a stream.
const (
	download = "download"
	upload   = "upload"
)

// users is the service behind the gateway. It computes nothing.
type users struct {
	userv1.UnimplementedUserServiceServer
}

// GetUser returns a user of the usual size.
func (users) GetUser(_ context.Context, r *userv1.GetUserRequest) (*userv1.GetUserResponse, error) {
	return &userv1.GetUserResponse{User: &userv1.User{UserId: r.GetUserId(), Name: "Ada Lovelace", Email: "ada@example.com", Age: 36}}, nil
}

// CreateUser returns the user that the request describes.
func (users) CreateUser(_ context.Context, r *userv1.CreateUserRequest) (*userv1.CreateUserResponse, error) {
	return &userv1.CreateUserResponse{User: &userv1.User{UserId: "u-1", Name: r.GetName(), Email: r.GetEmail(), Age: r.GetAge()}}, nil
}

// Chat sends 10 MB, or receives a stream and returns the number of its bytes.
func (users) Chat(s grpc.BidiStreamingServer[userv1.ChatMessage, userv1.ChatMessage]) error {
	first, err := s.Recv()
	if err != nil {
		return err
	}
	switch first.GetRoom() {
	case download:
		message := &userv1.ChatMessage{Text: text}
		for range messageNumber {
			if err := s.Send(message); err != nil {
				return err
			}
		}
		return nil
	case upload:
		received, err := receive(s.Recv)
		if err != nil {
			return err
		}
		return s.Send(&userv1.ChatMessage{Id: received})
	default:
		return status.Errorf(codes.InvalidArgument, "the first message asks for %q", first.GetRoom())
	}
}

// receive reads a stream to its end and returns the bytes of its texts.
func receive(next func() (*userv1.ChatMessage, error)) (received int64, err error) {
	for {
		m, err := next()
		if errors.Is(err, io.EOF) {
			return received, nil
		}
		if err != nil {
			return received, err
		}
		received += int64(len(m.GetText()))
	}
}

// serve serves over mutual TLS until its input ends, and prints its address. It returns the exit code.
func serve(stdin io.Reader, stdout, stderr io.Writer, folder string) int {
	cfg, err := mutualTLS(folder)
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	s := grpc.NewServer(grpc.Creds(credentials.NewTLS(cfg)))
	userv1.RegisterUserServiceServer(s, users{})
	orderv1.RegisterOrderServiceServer(s, orderv1.UnimplementedOrderServiceServer{})
	go func() {
		_, _ = io.Copy(io.Discard, stdin)
		s.Stop()
	}()
	fmt.Fprintln(stdout, l.Addr())
	if err := s.Serve(l); err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	return 0
}

// mutualTLS reads the certificate of a workload. The configuration is for either side of a connection.
func mutualTLS(folder string) (*tls.Config, error) {
	own, err := tls.LoadX509KeyPair(filepath.Join(folder, "tls.crt"), filepath.Join(folder, "tls.key"))
	if err != nil {
		return nil, err
	}
	roots, err := os.ReadFile(filepath.Join(folder, "ca.crt"))
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(roots)
	return &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{own}, RootCAs: pool, ServerName: host, ClientCAs: pool,
		ClientAuth: tls.RequireAndVerifyClientCert}, nil
}
