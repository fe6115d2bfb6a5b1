package doctor

import (
	"context"
	"strings"
)

const source = "source"

// oldestGo is the toolchain that go.mod asks for.
const oldestGo = "1.26"

func sourceChecks() []Check {
	return []Check{
		{"go-toolchain", source, "images that cannot be pulled are built with Go", goToolchain},
		{"debootstrap", source, "the node's base system is built with it, when it cannot be pulled", debootstrap},
	}
}

func goToolchain(ctx context.Context, w World) Result {
	if _, err := w.LookPath("go"); err != nil {
		if !w.FromSource {
			return skip("no Go; it is needed only to build images from source")
		}
		return fail("install Go "+oldestGo+" from https://go.dev/dl", "go is not in PATH, and images must be built from source")
	}
	out, err := w.Exec(ctx, "go", "env", "GOVERSION")
	version := strings.TrimPrefix(strings.TrimSpace(out), "go")
	switch {
	case err != nil:
		return warn("see: go env GOVERSION", "go does not tell its version: %v", err)
	case strings.HasPrefix(version, "devel"):
		return pass("go %s", version)
	case older(version, oldestGo):
		return warn("install Go "+oldestGo+" from https://go.dev/dl, or allow the download with GOTOOLCHAIN=auto", "go %s is older than %s", version, oldestGo)
	}
	return pass("go %s", version)
}

func debootstrap(_ context.Context, w World) Result {
	if !w.FromSource {
		return skip("not needed: no image has to be built from source")
	}
	path, err := w.LookPath("debootstrap")
	if err != nil {
		return fail("apt-get install debootstrap", "debootstrap is not in PATH, and the node image must be built from source")
	}
	return pass("debootstrap at %s", path)
}
