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

func TestUnmatched_CalleesThatAreNotKnown(t *testing.T) {
	p := parsed(t, "client: [{callee: users, method: x.Y/Z}]\nconnections: [{callee: users}]\nclientFaults: [{callee: users, hang: }]")
	for _, c := range []struct {
		callees []string
		want    int
	}{{nil, 1}, {[]string{}, 4}, {[]string{"users"}, 1}} {
		if got := unmatched(p, Known{Callees: c.callees}); len(got) != c.want {
			t.Errorf("callees %v: %q, want %d", c.callees, got, c.want)
		}
	}
}
