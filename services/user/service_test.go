package user

import (
	"slices"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/grpc-sandbox/sandbox/services/user/userv1"
)

func TestGetUser_Codes(t *testing.T) {
	for _, c := range []struct {
		id   string
		want codes.Code
	}{
		{"u-1", codes.OK},
		{"u-1000", codes.OK},
		{"u-1001", codes.NotFound},
		{"u-999999999999999999", codes.NotFound},
		{"", codes.InvalidArgument},
		{"u-0", codes.InvalidArgument},
		{"u-01", codes.InvalidArgument},
		{"u--1", codes.InvalidArgument},
		{"U-1", codes.InvalidArgument},
		{"u-1 ", codes.InvalidArgument},
		{"u-1\n", codes.InvalidArgument},
		{"42", codes.InvalidArgument},
	} {
		t.Run(c.id, func(t *testing.T) {
			got, err := Service{}.GetUser(t.Context(), &userv1.GetUserRequest{UserId: c.id})
			if status.Code(err) != c.want {
				t.Fatalf("got %v, want %s", err, c.want)
			}
			if c.want == codes.OK && got.GetUser().GetUserId() != c.id {
				t.Errorf("got %v", got)
			}
			named := slices.ContainsFunc(status.Convert(err).Details(), func(d any) bool {
				bad, ok := d.(*errdetails.BadRequest)
				return ok && bad.GetFieldViolations()[0].GetField() == "user_id"
			})
			if named != (c.want == codes.InvalidArgument) {
				t.Errorf("details %v", status.Convert(err).Details())
			}
		})
	}
}

func TestPerson_IsDeterministic(t *testing.T) {
	want := &userv1.User{UserId: "u-42", Name: "Alan Thompson", Email: "alan.thompson.42@example.com", Age: 45}
	if got := person(42); !proto.Equal(got, want) {
		t.Errorf("u-42 is %v; all earlier releases computed %v", got, want)
	}
}

func TestPerson_UsersDiffer(t *testing.T) {
	emails, names := map[string]bool{}, map[string]bool{}
	for n := 1; n <= Count; n++ {
		u := person(n)
		emails[u.GetEmail()], names[u.GetName()] = true, true
		if u.GetAge() < 18 || u.GetAge() > 80 {
			t.Errorf("%v has an unlikely age", u)
		}
	}
	if len(emails) != Count || len(names) < 200 {
		t.Errorf("%d emails and %d names", len(emails), len(names))
	}
}

func TestService_ZeroValue(t *testing.T) {
	if _, err := (Service{}).CreateUser(t.Context(), nil); status.Code(err) != codes.Unimplemented {
		t.Error("CreateUser returned", err)
	}
	if err := (Service{}).Chat(nil); status.Code(err) != codes.Unimplemented {
		t.Error("Chat returned", err)
	}
}
