package pgtest

import (
	"sync"
	"testing"
)

var shared struct {
	sync.Mutex
	server *Server
}

// Shared returns the server that all tests of a package share. Each test should use its own Database. TestMain stops the server with Stopping.
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

// Stopping wraps the tests of a package so that the shared server is stopped before goroutines are counted.
func Stopping(m *testing.M) interface{ Run() int } { return stopping{m} }

type stopping struct{ *testing.M }

func (s stopping) Run() int {
	code := s.M.Run()
	removeTemplate()
	shared.Lock()
	defer shared.Unlock()
	if shared.server != nil {
		shared.server.remove()
	}
	return code
}
