// Package oncemap has a map that makes each of its values once.
package oncemap

import (
	"maps"
	"sync"
	"sync/atomic"
)

// Map makes a value once per key. Reading takes no lock. Its keys are methods and callees, so it stays small.
type Map[K comparable, V any] struct {
	mu    sync.Mutex
	known atomic.Pointer[map[K]V]
}

// Get returns the value of a key, if it was made.
func (l *Map[K, V]) Get(key K) (value V, made bool) {
	value, made = l.All()[key]
	return value, made
}

// Of returns the value of a key. make is called for a new key, by one goroutine.
func (l *Map[K, V]) Of(key K, make func(K) V) V {
	if v, made := l.Get(key); made {
		return v
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if v, made := l.Get(key); made {
		return v
	}
	next := map[K]V{}
	maps.Copy(next, l.All())
	v := make(key)
	next[key] = v
	l.known.Store(&next)
	return v
}

// All returns the values made so far, which must not be changed.
func (l *Map[K, V]) All() map[K]V {
	if known := l.known.Load(); known != nil {
		return *known
	}
	return nil
}
