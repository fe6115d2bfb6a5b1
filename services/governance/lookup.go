package governance

import (
	"maps"
	"sync"
	"sync/atomic"
)

// lookup makes a value once per key; reading takes no lock. Its keys are methods and callees, so it stays small.
type lookup[K comparable, V any] struct {
	mu    sync.Mutex
	known atomic.Pointer[map[K]V]
}

func (l *lookup[K, V]) of(key K, make func(K) V) V {
	if known := l.known.Load(); known != nil {
		if v, ok := (*known)[key]; ok {
			return v
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	next := map[K]V{}
	if known := l.known.Load(); known != nil {
		if v, ok := (*known)[key]; ok {
			return v
		}
		maps.Copy(next, *known)
	}
	v := make(key)
	next[key] = v
	l.known.Store(&next)
	return v
}
