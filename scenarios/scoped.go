package scenarios

import (
	"context"
	"strings"
	"time"
)

// runName names a run, its journal and, on the generator, its loads. No other run of the sandbox has the same.
func runName(scenario string, started time.Time) string {
	return started.UTC().Format("20060102T150405.000000000Z") + "-" + scenario
}

// scoped gives each load of a run a name of its own on the generator, so that no load of another run or of the platform is taken for it.
type scoped struct {
	Loads
	prefix string
}

func (s scoped) Start(ctx context.Context, l LoadSpec) error {
	l.Name = s.prefix + l.Name
	return s.Loads.Start(ctx, l)
}

func (s scoped) SetRate(ctx context.Context, name string, rate Rate) error {
	return s.Loads.SetRate(ctx, s.prefix+name, rate)
}

func (s scoped) Read(ctx context.Context, name string) (LoadReading, error) {
	return s.Loads.Read(ctx, s.prefix+name)
}

func (s scoped) Stop(ctx context.Context, name string) (LoadReading, error) {
	return s.Loads.Stop(ctx, s.prefix+name)
}

// shortName is a load's name in its scenario, given its name on the generator.
func shortName(load string) string { return load[strings.LastIndexByte(load, '/')+1:] }
