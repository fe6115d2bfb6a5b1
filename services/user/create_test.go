package user

import (
	"fmt"
	"sync"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
	"github.com/grpc-sandbox/sandbox/services/postgres/pgtest"
	"github.com/grpc-sandbox/sandbox/services/user/userv1"
)

func TestCreateUser_CodesAndReasons(t *testing.T) {
	server := pgtest.Shared(t)
	client, _ := replica(t, server, server.Database(t))
	ada := &userv1.CreateUserRequest{Name: "Ada", Email: "ada@example.org", Age: 36, UserId: "u-2000", IdempotencyKey: "k1"}
	changed := func(change func(*userv1.CreateUserRequest)) *userv1.CreateUserRequest {
		r := proto.Clone(ada).(*userv1.CreateUserRequest)
		change(r)
		return r
	}
	for _, c := range []struct {
		sentence string
		request  *userv1.CreateUserRequest
		code     codes.Code
		reason   string
		id       string
	}{
		{"a new user", ada, codes.OK, "", "u-2000"},
		{"repeating the request returns the same user", ada, codes.OK, "", "u-2000"},
		{"the same key with another request", changed(func(r *userv1.CreateUserRequest) { r.Age = 37 }), codes.InvalidArgument, "", ""},
		{"a taken email in another case", changed(func(r *userv1.CreateUserRequest) { r.Email, r.UserId, r.IdempotencyKey = "ADA@example.org", "", "" }),
			codes.AlreadyExists, ReasonEmailTaken, ""},
		{"a taken id", changed(func(r *userv1.CreateUserRequest) { r.Email, r.IdempotencyKey = "other@example.org", "" }), codes.AlreadyExists, ReasonIDTaken, ""},
		{"the id of a computed user", changed(func(r *userv1.CreateUserRequest) { r.UserId, r.IdempotencyKey = "u-42", "" }), codes.AlreadyExists, ReasonIDTaken, ""},
		{"the email of a computed user", changed(func(r *userv1.CreateUserRequest) {
			r.UserId, r.Email, r.IdempotencyKey = "", "Alan.Thompson.42@example.com", ""
		}),
			codes.AlreadyExists, ReasonEmailTaken, ""},
		{"without an id, the next free one", &userv1.CreateUserRequest{Name: "Bob", Email: "bob@example.org", Age: 40, UserId: ""}, codes.OK, "", ""},
		{"a request that breaks the rules", &userv1.CreateUserRequest{}, codes.InvalidArgument, "", ""},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			got, err := client.CreateUser(t.Context(), c.request)
			if status.Code(err) != c.code || refusal.Reason(err) != c.reason {
				t.Fatalf("got %v", err)
			}
			if c.code != codes.OK {
				return
			}
			id := got.GetUser().GetUserId()
			if n, ok := number(id); !ok || n <= Count || (c.id != "" && id != c.id) || got.GetUser().GetEmail() != c.request.GetEmail() {
				t.Errorf("got %v", got.GetUser())
			}
			read, err := client.GetUser(t.Context(), &userv1.GetUserRequest{UserId: id})
			if err != nil || !proto.Equal(read.GetUser(), got.GetUser()) {
				t.Errorf("read %v, %v", read, err)
			}
		})
	}
}

// TestCreateUser_Concurrent checks that an email is given to one request only, a key to one user only, and that chosen ids do not collide.
func TestCreateUser_Concurrent(t *testing.T) {
	server := pgtest.Shared(t)
	database := server.Database(t)
	a, _ := replica(t, server, database)
	b, _ := replica(t, server, database)
	type answer struct {
		id   string
		code codes.Code
	}
	race := func(request func(i int) *userv1.CreateUserRequest) (answers []answer) {
		var mu sync.Mutex
		var all sync.WaitGroup
		for i := range 12 {
			all.Go(func() {
				client := []userv1.UserServiceClient{a, b}[i%2]
				got, err := client.CreateUser(t.Context(), request(i))
				mu.Lock()
				defer mu.Unlock()
				answers = append(answers, answer{got.GetUser().GetUserId(), status.Code(err)})
			})
		}
		all.Wait()
		return answers
	}
	count := func(answers []answer) map[answer]int {
		n := map[answer]int{}
		for _, a := range answers {
			n[answer{code: a.code}]++
		}
		return n
	}
	same := race(func(int) *userv1.CreateUserRequest {
		return &userv1.CreateUserRequest{Name: "One", Email: "one@example.org", Age: 1}
	})
	if n := count(same); n[answer{code: codes.OK}] != 1 || n[answer{code: codes.AlreadyExists}] != 11 {
		t.Errorf("one email: %v", same)
	}
	keyed := race(func(int) *userv1.CreateUserRequest {
		return &userv1.CreateUserRequest{Name: "Two", Email: "two@example.org", Age: 2, IdempotencyKey: "two"}
	})
	for _, got := range keyed {
		if got != keyed[0] || got.code != codes.OK {
			t.Errorf("one key: %v", keyed)
			break
		}
	}
	ids := map[string]bool{}
	for _, got := range race(func(i int) *userv1.CreateUserRequest {
		return &userv1.CreateUserRequest{Name: "N", Email: fmt.Sprintf("n%d@example.org", i), Age: 3}
	}) {
		ids[got.id] = got.code == codes.OK
	}
	if len(ids) != 12 {
		t.Errorf("twelve users got the ids %v", ids)
	}
}
