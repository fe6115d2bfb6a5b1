package policy

import (
	"slices"
	"testing"
)

func TestFile_UnmatchedPatterns(t *testing.T) {
	got := unmatched(parsed(t, `
server: [{}, {method: "a.B/C"}, {method: "a.B/D"}]
client: [{method: "d.E/*"}, {callee: userservice}, {callee: usersevice}]
connections: [{callee: "user*"}, {callee: orders}]
serverFaults: [{method: "x.Y/*", hang: }]
`), Known{Served: []string{"a.B/C"}, Called: []string{"a.B/C"}, Callees: []string{"userservice"}})
	want := []string{"server[2].method: a.B/D", "client[0].method: d.E/*", "client[2].callee: usersevice", "serverFaults[0].method: x.Y/*", "connections[1].callee: orders"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
