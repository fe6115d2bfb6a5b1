package doctor

import (
	"context"
	"testing"
)

func TestPrivilege_DockerUser(t *testing.T) {
	for _, c := range []struct {
		sentence string
		harm     func(p *place)
		want     Outcome
	}{
		{"docker ran a privileged container, wherever its socket is", func(*place) {}, Pass},
		{"it did not, and there is no socket", func(p *place) { p.EngineProbe = func(context.Context) error { return errBroken } }, Fail},
		{"it was not tried, and there is no socket", func(p *place) { p.EngineProbe = nil }, Fail},
		{"it was not tried, and there is a socket", func(p *place) {
			p.EngineProbe = nil
			p.write("var/run/docker.sock", "")
		}, Pass},
		{"it was not tried, and the daemon is elsewhere", func(p *place) {
			p.EngineProbe = nil
			p.env["DOCKER_HOST"] = "tcp://far:2376"
		}, Pass},
	} {
		p := healthy()
		p.Engine, p.Getuid = "docker", func() int { return 1000 }
		c.harm(p)
		if got := privilege(t.Context(), p.Host); got.Outcome != c.want {
			t.Errorf("%s: %s %q", c.sentence, got.Outcome, got.Message)
		}
	}
}
