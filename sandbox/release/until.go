package release

import "context"

// until does what takes no context, as most of Helm does, and leaves it to itself when ctx ends: a node that is paused answers nothing, and
// Helm would wait. What it leaves half made the next Apply completes.
func until[T any](ctx context.Context, do func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		value, err := do()
		done <- result{value, err}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}
