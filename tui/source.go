package tui

import (
	"slices"
	"time"
)

// source is what the screen knows about one source of the feed.
type source struct {
	name   string
	health health
	// news is the number of answers and failures so far.
	news int
}

// newSources returns the sources as they are before they are first read. Data older than staleAfter is stale.
func newSources(names []string, staleAfter time.Duration) []source {
	sources := make([]source, len(names))
	for i, name := range names {
		sources[i] = source{name: name, health: health{staleAfter: staleAfter}}
	}
	return sources
}

// indexOf returns the index of the source of a name, or -1.
func indexOf(sources []source, name string) int {
	return slices.IndexFunc(sources, func(s source) bool { return s.name == name })
}
