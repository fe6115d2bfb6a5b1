package target

import (
	"context"
	"strings"
)

// WithPrefix returns loads whose names start with prefix on the generator. A run uses its own name as the prefix, so that its loads cannot be
// mistaken for those of another run or of the platform.
func WithPrefix(loads Loads, prefix string) Loads { return prefixed{loads, prefix} }

// ShortName returns the name of a load in its scenario, given its name on the generator.
func ShortName(load string) string { return load[strings.LastIndexByte(load, '/')+1:] }

type prefixed struct {
	Loads
	prefix string
}

func (p prefixed) Start(ctx context.Context, l LoadSpec) error {
	l.Name = p.prefix + l.Name
	return p.Loads.Start(ctx, l)
}

func (p prefixed) SetRate(ctx context.Context, name string, rate Rate) error {
	return p.Loads.SetRate(ctx, p.prefix+name, rate)
}

func (p prefixed) Read(ctx context.Context, name string) (LoadReading, error) {
	return p.Loads.Read(ctx, p.prefix+name)
}

func (p prefixed) Stop(ctx context.Context, name string) (LoadReading, error) {
	return p.Loads.Stop(ctx, p.prefix+name)
}
