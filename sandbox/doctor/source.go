package doctor

import (
	"context"
	"slices"
	"strings"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
)

const source = "source"

// oldestGo is the toolchain that go.mod asks for.
const oldestGo = "1.26"

func sourceChecks() []Check {
	return []Check{
		{"go-toolchain", source, "images that are not in the cache and cannot be pulled are built with Go", goToolchain},
		{"debootstrap", source, "the base of node and database is built with it, when they cannot be pulled", debootstrap},
	}
}

func goToolchain(ctx context.Context, w World) Result {
	if _, err := w.LookPath("go"); err != nil {
		if w.Lacking == nil {
			return skip("no Go; it is needed only to build images from source")
		}
		return without(ctx, w, "go", remedy.Advice("install Go "+oldestGo+" from https://go.dev/dl"))
	}
	out, err := w.Exec(ctx, "go", "env", "GOVERSION")
	version := strings.TrimPrefix(strings.TrimSpace(out), "go")
	switch {
	case err != nil:
		return warn(remedy.Advice("see: go env GOVERSION"), "go does not tell its version: %v", err)
	case strings.HasPrefix(version, "devel"):
		return pass("go %s", version)
	case older(version, oldestGo):
		return warn(remedy.Advice("install Go "+oldestGo+" from https://go.dev/dl, or allow the download with GOTOOLCHAIN=auto"), "go %s is older than %s", version, oldestGo)
	}
	return pass("go %s", version)
}

func debootstrap(ctx context.Context, w World) Result {
	if w.Lacking == nil {
		return skip("not needed: no image has to be built from source")
	}
	path, err := w.LookPath("debootstrap")
	if err != nil {
		return without(ctx, w, "debootstrap", remedy.Shell("apt-get", "install", "debootstrap"))
	}
	return pass("debootstrap at %s", path)
}

// without says what a machine that lacks a program lacks by that. As up does, it takes what is in the cache, then what can be pulled; that a
// registry has the image is taken for granted where it answers.
func without(ctx context.Context, w World, program string, fix remedy.Remedy) Result {
	lacking, err := w.Lacking(ctx)
	if err != nil {
		return warn(fix, "%s is not in PATH, and which images have to be built is not known: %v", program, err)
	}
	var build, pull []string
	for _, l := range lacking {
		switch {
		case !slices.Contains(l.Needs, program):
		case l.Registry != "" && w.Reach(ctx, l.Registry) == nil:
			pull = append(pull, l.Ref)
		default:
			build = append(build, l.Ref)
		}
	}
	switch {
	case len(build) > 0:
		return fail(fix, "%s is not in PATH, and must build %s", program, some(build))
	case len(pull) > 0:
		return pass("no %s, and no need of it as long as %s can be pulled", program, some(pull))
	}
	return pass("no %s, and no need of it: what it would build is in the cache", program)
}
