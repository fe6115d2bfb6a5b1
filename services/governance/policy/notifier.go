package policy

import "sync"

// notifier calls its subscribers one after the other, without holding its lock.
type notifier struct {
	mu   sync.Mutex
	next int
	all  map[int]func()
}

// subscribe adds a subscriber. cancel removes it.
func (n *notifier) subscribe(f func()) (cancel func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.all == nil {
		n.all = map[int]func(){}
	}
	id := n.next
	n.next++
	n.all[id] = f
	return func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		delete(n.all, id)
	}
}

func (n *notifier) notify() {
	n.mu.Lock()
	all := make([]func(), 0, len(n.all))
	for _, f := range n.all {
		all = append(all, f)
	}
	n.mu.Unlock()
	for _, f := range all {
		f()
	}
}
