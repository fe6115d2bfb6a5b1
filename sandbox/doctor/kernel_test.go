package doctor

import "testing"

func TestIPForward_IsNotNeededByRootlessPodman(t *testing.T) {
	for _, c := range []struct {
		engine string
		uid    int
		want   Outcome
	}{{"podman", 1000, Pass}, {"podman", 0, Fail}, {"docker", 1000, Fail}, {"docker", 0, Fail}} {
		p := healthy()
		p.write("proc/sys/net/ipv4/ip_forward", "0\n")
		p.Engine, p.Getuid = c.engine, func() int { return c.uid }
		if got := ipForward(t.Context(), p.Host); got.Outcome != c.want {
			t.Errorf("%s of user %d: %s %q; want %s", c.engine, c.uid, got.Outcome, got.Message, c.want)
		}
	}
}

func TestModules_RootDoesNotNeedTheFolder(t *testing.T) {
	p := healthy()
	delete(p.files, "lib/modules/6.12/modules.dep")
	if got := modules(t.Context(), p.Host); got.Outcome != Pass || got.Message != "/lib/modules is missing; it is created together with the sandbox" {
		t.Errorf("%s %q", got.Outcome, got.Message)
	}
}
