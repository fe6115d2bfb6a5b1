package pgtest

import (
	"sync"
	"testing"
)

var shared struct {
	sync.Mutex
	server *Server
}

// Shared returns the one server of a package's tests; each should take a database of its own. TestMain ends it by Stopping.
func Shared(t testing.TB) *Server {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.server == nil {
		s, err := start(t)
		if err != nil {
			t.Fatal(err)
		}
		shared.server = s
	}
	return shared.server
}

// Stopping wraps a package's tests so that the shared server, if any, ends before goroutines are counted.
func Stopping(m *testing.M) interface{ Run() int } { return stopping{m} }

type stopping struct{ *testing.M }

func (s stopping) Run() int {
	code := s.M.Run()
	forgetFilled()
	shared.Lock()
	defer shared.Unlock()
	if shared.server != nil {
		shared.server.remove()
	}
	return code
}
