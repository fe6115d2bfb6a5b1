package doctor

import (
	"context"
	"slices"
	"strings"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
)

const source = "source"

// oldestGo is the Go version that go.mod requires.
const oldestGo = "1.26"

func sourceChecks() []Check {
	return []Check{
		{ID: "go-toolchain", Category: source, Run: goToolchain},
		{ID: "debootstrap", Category: source, Run: debootstrap},
	}
}

func goToolchain(ctx context.Context, w Host) Result {
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
		return warn(remedy.Advice("see: go env GOVERSION"), "go does not report its version: %v", err)
	case strings.HasPrefix(version, "devel"):
		return pass("go %s", version)
	case older(version, oldestGo):
		return warn(remedy.Advice("install Go "+oldestGo+" from https://go.dev/dl, or allow the download with GOTOOLCHAIN=auto"),
			"go %s is older than %s", version, oldestGo)
	}
	return pass("go %s", version)
}

func debootstrap(ctx context.Context, w Host) Result {
	if w.Lacking == nil {
		return skip("not needed: no image has to be built from source")
	}
	path, err := w.LookPath("debootstrap")
	if err != nil {
		return without(ctx, w, "debootstrap", remedy.Shell("apt-get", "install", "debootstrap"))
	}
	return pass("debootstrap at %s", path)
}

// without returns the result for a missing program. As `up` does, it looks for images in the cache first and then at registries. It assumes that a
// registry that answers has the image.
func without(ctx context.Context, w Host, program string, fix remedy.Remedy) Result {
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
		return fail(fix, "%s is not in PATH, but is needed to build %s", program, some(build))
	case len(pull) > 0:
		return pass("no %s; it is not needed as long as %s can be pulled", program, some(pull))
	}
	return pass("no %s; it is not needed: everything it would build is in the cache", program)
}
