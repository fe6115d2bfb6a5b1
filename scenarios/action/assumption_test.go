package action

import (
	"testing"

	"github.com/grpc-sandbox/sandbox/scenarios/target"
)

func TestState_ChangesOfOneValueAreAStack(t *testing.T) {
	t.Parallel()
	replicas := func(n int) Assumption { return Assumption{Replicas: map[string]int{"userservice": n}} }
	two := State{}.With("a", replicas(2))
	one := two.With("b", replicas(1))
	for name, c := range map[string]struct {
		s     State
		want  int
		known bool
	}{
		"nothing changed":   {State{}, 0, false},
		"the latest change": {one, 1, true},
		"the upper undone":  {one.With("c", Assumption{Undoes: "b"}), 2, true},
		"the lower undone":  {one.With("c", Assumption{Undoes: "a"}), 1, true},
		"both undone":       {one.With("c", Assumption{Undoes: "a"}).With("d", Assumption{Undoes: "b"}), 0, false},
		"a rate on top":     {one.With("c", Assumption{Rates: map[string]target.Rate{"browse": 7}}), 1, true},
	} {
		if got, known := c.s.Replicas("userservice"); got != c.want || known != c.known {
			t.Errorf("%s: got %d, known %t", name, got, known)
		}
	}
	if n, _ := two.Replicas("userservice"); n != 2 {
		t.Errorf("With changed its receiver: %d", n)
	}
	rated := one.With("c", Assumption{Rates: map[string]target.Rate{"browse": 7}})
	if r, known := rated.Rate("browse"); r != 7 || !known {
		t.Errorf("got %s, known %t", r, known)
	}
	if _, known := rated.Rate("order"); known {
		t.Error("the rate of another load is known")
	}
}
