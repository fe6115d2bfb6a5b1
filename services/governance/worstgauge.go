package governance

import "sync"

// worstGauge shows one value for each series, although several connections to a callee have one: the worst of those that are open. Without an open
// connection, a series shows the value that was set last.
type worstGauge[S comparable, V any] struct {
	// compare is positive if a is worse than b.
	compare func(a, b V) int
	show    func(S, V)

	mu sync.Mutex
	// open has the values of open connections, by what has set them.
	open map[S]map[any]V
}

func newWorstGauge[S comparable, V any](compare func(a, b V) int, show func(S, V)) *worstGauge[S, V] {
	return &worstGauge[S, V]{compare: compare, show: show, open: map[S]map[any]V{}}
}

// set sets the value of a source.
func (g *worstGauge[S, V]) set(series S, source any, isOpen bool, value V) {
	g.mu.Lock()
	defer g.mu.Unlock()
	values := g.open[series]
	if isOpen {
		if values == nil {
			values = map[any]V{}
			g.open[series] = values
		}
		values[source] = value
	}
	g.showWorst(series, value)
}

// remove forgets the value of a source whose connection has closed.
func (g *worstGauge[S, V]) remove(series S, source any) {
	g.mu.Lock()
	defer g.mu.Unlock()
	values := g.open[series]
	last, known := values[source]
	if !known {
		return
	}
	delete(values, source)
	if len(values) == 0 {
		delete(g.open, series)
	}
	g.showWorst(series, last)
}

// showWorst shows last if there is no open connection. g.mu is held.
func (g *worstGauge[S, V]) showWorst(series S, last V) {
	worst, first := last, true
	for _, v := range g.open[series] {
		if first || g.compare(v, worst) > 0 {
			worst, first = v, false
		}
	}
	g.show(series, worst)
}
