package setup

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/grpc-sandbox/sandbox/sandbox/cluster"
	"github.com/grpc-sandbox/sandbox/sandbox/fixture"
)

func TestLacking_DependsOnTheEngine(t *testing.T) {
	none := fmt.Errorf("%w: docker is not installed", cluster.ErrNoEngine)
	for _, c := range []struct {
		sentence    string
		engine      error
		debootstrap bool
		want        []string
	}{
		{"all is there", nil, true, nil},
		{"an engine works", nil, false, []string{"debootstrap"}},
		{"no engine works", none, true, []string{"podman", "runc", "netavark", "aardvark-dns", "iptables"}},
		{"nothing is there", none, false, []string{"podman", "runc", "netavark", "aardvark-dns", "iptables", "debootstrap"}},
	} {
		got, err := Lacking(c.engine, func(program string) bool { return program == "debootstrap" && c.debootstrap })
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, %v; want %v", c.sentence, got, err, c.want)
		}
	}
	if got, err := Lacking(context.Canceled, func(string) bool { return false }); !errors.Is(err, context.Canceled) || got != nil {
		t.Errorf("interrupted, it would install %v, %v", got, err)
	}
}

func TestPermits_NeedsRootAndApt(t *testing.T) {
	for _, c := range []struct {
		sentence string
		machine  Machine
		// The texts in the error. nil means that installing is permitted.
		says []string
	}{
		{"root on a system with apt may", Machine{Apt: true, Root: true}, nil},
		{"a user gets the command for root", Machine{Apt: true},
			[]string{"needs root", "\ntry: sudo apt-get update && sudo apt-get install --no-install-recommends podman debootstrap"}},
		{"a system without apt gets the names", Machine{Root: true}, []string{"no apt-get", "\ntry: install podman, debootstrap yourself"}},
	} {
		err := c.machine.Permits([]string{"podman", "debootstrap"})
		if c.says == nil {
			if err != nil {
				t.Errorf("%s: %v", c.sentence, err)
			}
			continue
		}
		fixture.WantError(t, err, c.says...)
	}
}

func TestInstall_WithoutQuestions(t *testing.T) {
	for _, c := range []struct {
		sentence, body string
		calls          []string
		fails          []string
	}{
		{"the package lists are fetched first, without a question", "", []string{"apt-get update", "apt-get install --yes --no-install-recommends podman debootstrap"}, nil},
		{"nothing asks back", `[ "$DEBIAN_FRONTEND" = noninteractive ] || exit 1`, []string{"apt-get update", "apt-get install --yes --no-install-recommends podman debootstrap"}, nil},
		{"the error contains the output of apt-get, and installation stops", "echo no route to the mirror; exit 100", []string{"apt-get update"}, []string{"running apt-get update", "no route to the mirror"}},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			calls := fixture.Programs(t, map[string]string{"apt-get": c.body})
			var said strings.Builder
			err := Install(t.Context(), &said, []string{"podman", "debootstrap"})
			if c.fails != nil {
				fixture.WantError(t, err, c.fails...)
			} else if err != nil || !strings.HasSuffix(said.String(), "setup: done\n") {
				t.Errorf("%v after %q", err, said.String())
			}
			if got := calls(); !slices.Equal(got, c.calls) {
				t.Errorf("called %q, want %q", got, c.calls)
			}
		})
	}
}
