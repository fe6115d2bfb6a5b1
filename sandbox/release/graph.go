package release

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"
)

// Node is one piece of work with the names of the nodes that it needs.
type Node struct {
	// Name is unique among the nodes. Needs are the names of nodes that must be done before Do is called.
	Name  string
	Needs []string
	Do    func(ctx context.Context) error
}

// InOrder runs all nodes, each as soon as the nodes it needs are done, and stops at the first failure.
func InOrder(ctx context.Context, nodes []Node) error {
	done := map[string]chan struct{}{}
	for _, n := range nodes {
		if done[n.Name] != nil {
			return fmt.Errorf("ordering releases: %s appears twice", n.Name)
		}
		done[n.Name] = make(chan struct{})
	}
	if err := acyclic(nodes, done); err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	for _, n := range nodes {
		g.Go(func() error {
			for _, need := range n.Needs {
				select {
				case <-done[need]:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			if err := n.Do(ctx); err != nil {
				return err
			}
			close(done[n.Name])
			return nil
		})
	}
	return g.Wait()
}

// acyclic returns an error for a graph that could never finish: a need that no node provides, or a cycle.
func acyclic(nodes []Node, known map[string]chan struct{}) error {
	needs := map[string][]string{}
	for _, n := range nodes {
		needs[n.Name] = n.Needs
	}
	const visiting, visited = 1, 2
	state := map[string]int{}
	var visit func(string) error
	visit = func(name string) error {
		switch state[name] {
		case visiting:
			return fmt.Errorf("ordering releases: %s needs itself", name)
		case visited:
			return nil
		}
		state[name] = visiting
		for _, need := range needs[name] {
			if known[need] == nil {
				return fmt.Errorf("ordering releases: %s needs %s, which is not in the catalog", name, need)
			}
			if err := visit(need); err != nil {
				return err
			}
		}
		state[name] = visited
		return nil
	}
	for _, n := range nodes {
		if err := visit(n.Name); err != nil {
			return err
		}
	}
	return nil
}
