package user

import (
	"fmt"
	"hash/fnv"
	"strings"

	"github.com/grpc-sandbox/sandbox/services/user/userv1"
)

// Count is the number of computed users: u-1 to u-1000.
const Count = 1000

var (
	given  = []string{"Ada", "Alan", "Barbara", "Dennis", "Donald", "Edsger", "Frances", "Grace", "John", "Katherine", "Ken", "Leslie", "Margaret", "Radia", "Robin", "Tony"}
	family = []string{"Allen", "Dijkstra", "Hamilton", "Hoare", "Hopper", "Johnson", "Knuth", "Lamport", "Liskov", "Lovelace", "McCarthy", "Milner", "Perlman", "Ritchie", "Thompson", "Turing"}
)

// person computes the user with number n. Every replica computes the same user, and nothing has to be stored.
func person(n int) *userv1.User {
	id := fmt.Sprintf("u-%d", n)
	h := fnv.New64a()
	// Writing to a hash never fails.
	_, _ = h.Write([]byte(id))
	sum := h.Sum64()
	first, last := given[sum%16], family[sum/16%16]
	return &userv1.User{
		UserId: id,
		Name:   first + " " + last,
		Email:  fmt.Sprintf("%s.%s.%d@example.com", strings.ToLower(first), strings.ToLower(last), n),
		Age:    int32(18 + sum/256%63), //nolint:gosec // 18 to 80
	}
}
