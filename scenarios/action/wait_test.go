package action

import (
	"testing"
	"time"
)

func TestWait_OnlyTakesTime(t *testing.T) {
	t.Parallel()
	a := wait{8 * time.Second}
	e, err := a.Resolve(t.Context(), Context{})
	if err != nil || e.Do != nil || e.Hold != 8*time.Second || a.Lasts() != e.Hold || a.String() != "wait 8s" {
		t.Errorf("%+v, %v", e, err)
	}
}
