package main

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/grpc-sandbox/sandbox/sandbox"
	"github.com/grpc-sandbox/sandbox/sandbox/fixture"
	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
	"github.com/grpc-sandbox/sandbox/services/user/userv1"
)

// people is a UserService with one user.
type people struct {
	userv1.UnimplementedUserServiceServer
}

func (people) GetUser(ctx context.Context, r *userv1.GetUserRequest) (*userv1.GetUserResponse, error) {
	if err := grpc.SetHeader(ctx, metadata.Pairs(servingPodHeader, "userservice-1")); err != nil {
		return nil, err
	}
	if r.GetUserId() != "u-1" {
		return nil, status.Error(codes.NotFound, "no such user")
	}
	return &userv1.GetUserResponse{User: &userv1.User{UserId: "u-1", Name: "Ada"}}, nil
}

func TestCall_PrintsTheResponseAsJSON(t *testing.T) {
	pipe := bufconn.Listen(1 << 16)
	server := grpc.NewServer()
	userv1.RegisterUserServiceServer(server, people{})
	served := make(chan error, 1)
	go func() { served <- server.Serve(pipe) }()
	defer func() {
		server.Stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	}()
	conn, err := grpc.NewClient("passthrough:///userservice", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return pipe.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	method, _, err := findMethod("user.v1.UserService/GetUser")
	if err != nil {
		t.Fatal(err)
	}
	call := func(id string) (stdout, stderr string, err error) {
		var out, errs strings.Builder
		request := dynamicpb.NewMessage(method.Input())
		if err := protojson.Unmarshal([]byte(`{"userId":"`+id+`"}`), request); err != nil {
			t.Fatal(err)
		}
		err = invoke(t.Context(), process{stdout: &out, stderr: &errs}, conn, method, request)
		return out.String(), errs.String(), err
	}

	stdout, stderr, err := call("u-1")
	if err != nil || stderr != "served by userservice-1\n" {
		t.Errorf("%v, with standard error %q", err, stderr)
	}
	var got map[string]any
	if err := json.Unmarshal([]byte(stdout), &got); err != nil {
		t.Errorf("the response is not JSON: %v", err)
	}
	want := map[string]any{"user": map[string]any{"userId": "u-1", "name": "Ada", "email": "", "age": 0.0}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the response, including fields without a value (-want +got)\n%s", diff)
	}

	stdout, stderr, err = call("u-2")
	var coded *codedError
	if !errors.As(err, &coded) || coded.code != exitNotHeld || stdout != "" || stderr != "served by userservice-1\n" {
		t.Errorf("an error is %v, printed %q, with standard error %q", err, stdout, stderr)
	}
	fixture.WantError(t, err, "NotFound: no such user")
}

func TestAnsweredError_HasTheRemediesOfItsDetails(t *testing.T) {
	err := answeredError(refusal.Field("user_id", "must be a number", refusal.Help("u-42")))
	if got, want := printedError(&globals{name: sandbox.DefaultName}, err), "sandbox: InvalidArgument: user_id: must be a number\ntry: u-42\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestFindMethod_WithItsRelease(t *testing.T) {
	for _, c := range []struct{ method, release string }{
		{"user.v1.UserService/GetUser", "userservice"},
		{"/user.v1.UserService/GetUser", "userservice"},
		// The name of the release does not follow from that of the service.
		{"loadgen.v1.LoadGenerator/GetLoad", "loadgen"},
	} {
		m, release, err := findMethod(c.method)
		if err != nil || release != c.release {
			t.Errorf("%s: %v at %q, %v; want it at %q", c.method, m, release, err, c.release)
		}
	}
}
