package release

import "context"

// until runs a function that takes no context, as most of Helm does not, and returns when ctx ends without waiting for it. Helm would wait for a
// paused node, which answers nothing. The next Apply completes what an abandoned call leaves incomplete.
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
