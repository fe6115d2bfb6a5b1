package lease

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestLeases_EndWithoutRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l Leases
		a := Fault{"a", "shop", "slow", 10 * time.Second}
		b := Fault{"b", "shop", "other", 5 * time.Second}
		l.Keep([]Fault{a, b})
		for range 4 {
			time.Sleep(4 * time.Second)
			if d, ok := l.Renew("shop", "slow"); !ok || d != 10*time.Second {
				t.Fatalf("renewal: %s, %v", d, ok)
			}
			l.Keep([]Fault{b, a})
		}
		if !l.Expire() || !l.Over("b") || l.Over("a") || l.Expire() {
			t.Error("want the lease that was not renewed to end, once")
		}
		if got := l.Alive("shop"); !slices.Equal(got, []string{"a"}) {
			t.Errorf("alive: %q", got)
		}
		if got := l.Alive("elsewhere"); got != nil {
			t.Errorf("alive in another namespace: %q", got)
		}
		if _, ok := l.Renew("shop", "other"); ok {
			t.Error("a lease that has ended was renewed")
		}
		if _, ok := l.Renew("elsewhere", "slow"); ok {
			t.Error("a lease of another namespace was renewed")
		}
		// A fault of the same name that is created later has a lease of its own.
		l.Keep([]Fault{a, {"c", "shop", "other", 5 * time.Second}})
		if _, ok := l.Renew("shop", "other"); !ok || l.Over("b") {
			t.Error("the new fault has the lease of the old one")
		}
		time.Sleep(time.Hour)
		if got := l.Alive("shop"); got != nil || !l.Expire() {
			t.Errorf("after an hour without renewals: %q", got)
		}
	})
}
