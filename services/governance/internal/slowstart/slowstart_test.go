package slowstart

import (
	"math"
	"testing"
	"time"
)

func TestConfig_Weight(t *testing.T) {
	c := Config{Window: 10 * time.Second, Least: 0.1}
	for age, want := range map[time.Duration]float64{0: 0.1, time.Second: 0.1, 2 * time.Second: 0.2, 5 * time.Second: 0.5, 10 * time.Second: 1, time.Hour: 1} {
		if got := c.weight(age); got != want {
			t.Errorf("after %s: %v, want %v", age, got, want)
		}
	}
}

// rig is a group with a clock that the test sets.
type rig struct {
	*Group
	clock time.Duration
	cfg   Config
}

func newRig(up ...string) *rig {
	r := &rig{cfg: Config{Window: 10 * time.Second, Least: 0.1}}
	r.Group = NewGroup(func() time.Duration { return r.clock })
	for _, a := range up {
		r.Up(a)
	}
	return r
}

// share makes 900 calls in a second, and returns the share of one replica in percent. Each call goes to the first replica that admits it, in the order
// that a picker chooses.
func (r *rig) share(of string, order func(call int) []string) float64 {
	const calls = 900
	got := 0
	for n := range calls {
		r.clock += time.Second / calls
		asked := r.Call(r.cfg)
		for _, a := range order(n) {
			if !asked || r.Admit(a) {
				if a == of {
					got++
				}
				break
			}
		}
	}
	return 100 * float64(got) / calls
}

func inTurn(all ...string) func(int) []string {
	return func(n int) []string {
		var order []string
		for i := range all {
			order = append(order, all[(n+i)%len(all)])
		}
		return order
	}
}

func always(all ...string) func(int) []string { return func(int) []string { return all } }

func TestGroup_Share(t *testing.T) {
	for _, c := range []struct {
		sentence string
		do       func(r *rig)
		order    func(int) []string
		// want is the share of c, in percent, in each of the following seconds.
		want map[int]float64
	}{
		// With the weights 0.1, 0.55 and 0.85 next to two of 1. From 0.9 on there is no limit.
		{"in turn", func(r *rig) { r.Up("c") }, inTurn("a", "b", "c"), map[int]float64{1: 4.8, 6: 21.6, 9: 29.8, 10: 33.3, 20: 33.3}},
		{"a picker that prefers the new one", func(r *rig) { r.Up("c") }, always("c", "a", "b"), map[int]float64{1: 4.8, 6: 21.6, 9: 29.8, 11: 100}},
		{"without a minimum, because the policy has 100 percent", func(r *rig) { r.Up("c"); r.cfg.Least = 1 }, inTurn("a", "b", "c"), map[int]float64{1: 33.3}},
		{"down for a moment", func(r *rig) { r.Up("c"); r.clock += time.Minute; r.Down("c"); r.clock += interruption - 1; r.Up("c") }, inTurn("a", "b", "c"), map[int]float64{1: 33.3}},
		{"down for longer", func(r *rig) { r.Up("c"); r.clock += time.Minute; r.Down("c"); r.clock += interruption; r.Up("c") }, inTurn("a", "b", "c"), map[int]float64{1: 4.8, 6: 21.6}},
		{"up, although it never went down", func(r *rig) { r.Up("c"); r.clock += time.Minute; r.Up("c") }, inTurn("a", "b", "c"), map[int]float64{1: 33.3}},
		{"in use again", func(r *rig) { r.Up("c"); r.clock += time.Minute; r.Restart("c") }, inTurn("a", "b", "c"), map[int]float64{1: 4.8, 6: 21.6}},
		{"forgotten and back", func(r *rig) { r.Up("c"); r.clock += time.Minute; r.Keep([]string{"a", "b"}); r.Up("c") }, inTurn("a", "b", "c"), map[int]float64{1: 4.8}},
		{"next to one that is down", func(r *rig) { r.Down("b"); r.Up("c") }, inTurn("a", "c"), map[int]float64{1: 9.1, 6: 35.5}},
		{"the only one", func(r *rig) { r.Down("a"); r.Down("b"); r.Up("c") }, always("c"), map[int]float64{1: 100}},
		{"all are new", func(r *rig) { r.Restart("a"); r.Restart("b"); r.clock += 100 * time.Millisecond; r.Up("c") }, inTurn("a", "b", "c"), map[int]float64{1: 33.3, 5: 33.3}},
		{"the newest of new ones", func(r *rig) { r.Restart("a"); r.Restart("b"); r.clock += 5 * time.Second; r.Up("c") }, inTurn("a", "b", "c"), map[int]float64{1: 8.3}},
		{"unknown", func(r *rig) { r.Down("c"); r.Restart("c"); r.Restart("a") }, always("c"), map[int]float64{1: 100}},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			r := newRig("a", "b")
			r.clock += time.Hour
			c.do(r)
			for second := 1; second <= 20; second++ {
				got := r.share("c", c.order)
				if want, judged := c.want[second]; judged && math.Abs(got-want) > 1 {
					t.Errorf("in second %d: %.1f %%, want %v %%", second, got, want)
				}
			}
		})
	}
}

// TestGroup_NothingNew checks that the group is not asked when every replica has its full share.
func TestGroup_NothingNew(t *testing.T) {
	r := newRig("a", "b")
	r.clock += r.cfg.Window - 1
	if !r.Call(r.cfg) {
		t.Error("within the window: not asked")
	}
	r.clock++
	if r.Call(r.cfg) {
		t.Error("after the window: asked")
	}
}
