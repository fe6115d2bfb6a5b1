package images

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
)

func TestStoreMissing_UntilCached(t *testing.T) {
	host := registryWith(t, map[string]v1.Image{"there:1": imageOf(t, "pulled")})
	missing := func(t *testing.T, s *shop, want bool) {
		t.Helper()
		if got, err := s.store.Missing(s.image); got != want || err != nil {
			t.Errorf("missing: %v, %v; want %v", got, err, want)
		}
	}
	for _, mode := range []Mode{Pull, Source} {
		s := newShop(t, host+"/there:1", true)
		s.store.Mode = mode
		missing(t, s, true)
		r, err := s.store.Get(t.Context(), s.image)
		if err != nil {
			t.Fatal(err)
		}
		missing(t, s, false)
		if err := os.Remove(layerFile(t, s.store.Cache, r.Image, 0)); err != nil {
			t.Fatal(err)
		}
		missing(t, s, true)
		if !exists(s.store.Cache.entryFile(r.Key)) {
			t.Error("to look has removed the damaged entry")
		}
	}
}

func TestGet_PullsOrBuilds(t *testing.T) {
	host := registryWith(t, map[string]v1.Image{"there:1": imageOf(t, "pulled")})
	there, missing := host+"/there:1", host+"/missing:1"
	for _, c := range []struct {
		sentence string
		pull     string
		network  bool
		change   func(*shop)
		events   []string
		// fails are parts of the error.
		fails []string
	}{
		// If an image is pulled under another name than its own, a note says so.
		{"what a registry has is pulled", there, true, nil, []string{"pulling", "note", "pulled"}, nil},
		{"what a registry lacks is built", missing, true, nil, []string{"pulling", "note", "building", "built"}, nil},
		{"without a network the image is built", there, false, nil, []string{"pulling", "note", "building", "built"}, nil},
		{"an image without a pull reference is built without a pull", "", true, nil, []string{"building", "built"}, nil},
		{"mode source does not pull", there, true, func(s *shop) { s.store.Mode = Source }, []string{"building", "built"}, nil},
		{"mode pull pulls", there, true, func(s *shop) { s.store.Mode = Pull }, []string{"pulling", "note", "pulled"}, nil},
		{"mode pull does not build, and says how to", missing, true, func(s *shop) { s.store.Mode = Pull }, []string{"pulling"},
			[]string{"preparing example.org/thing:1", "try: --images auto"}},
		{"mode pull builds an image without a pull reference", "", true, func(s *shop) { s.store.Mode = Pull }, []string{"building", "built"}, nil},
		{"without a checkout, an image is pulled", there, true, func(s *shop) { s.store.SourceTree = "" }, []string{"pulling", "note", "pulled"}, nil},
		{"without a checkout, a failed pull is reported with both reasons", there, false, func(s *shop) { s.store.SourceTree = "" }, []string{"pulling"},
			[]string{ErrOffline.Error(), "needs a checkout", "try: run from the project's folder, or name it with --source"}},
		{"a missing program is reported with its remedy", "", true, func(s *shop) {
			r := s.image.Recipe.(fakeRecipe)
			r.needs = []string{"no-such-program"}
			s.image.Recipe = r
		}, nil, []string{"building it needs no-such-program", "try: sandbox up --setup"}},
		{"a failed build returns the recipe's error", "", true, func(s *shop) {
			s.image.Recipe = fakeRecipe{build: func(context.Context, *Workshop) (v1.Image, error) { return nil, errors.New("does not compile") }}
		}, nil, []string{"preparing example.org/thing:1", "does not compile"}},
		{"if pull and build fail, both errors are returned", missing, true, func(s *shop) {
			s.image.Recipe = fakeRecipe{build: func(context.Context, *Workshop) (v1.Image, error) {
				return nil, remedy.New("does not compile", remedy.Advice("another"))
			}}
		}, []string{"pulling", "note"}, []string{"preparing example.org/thing:1", "pulling " + missing, "\nand building it instead: does not compile\ntry: another"}},
		{"without a checkout, the error of an image without a pull reference does not mention registries", "", false, func(s *shop) { s.store.SourceTree = "" }, nil,
			[]string{"preparing example.org/thing:1: building it needs a checkout"}},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			s := newShop(t, c.pull, c.network)
			if c.change != nil {
				c.change(s)
			}
			r, err := s.store.Get(t.Context(), s.image)
			if !slices.Equal(s.events, c.events) {
				t.Errorf("observed %v, want %v", s.events, c.events)
			}
			if leftovers, _ := filepath.Glob(filepath.Join(s.store.Cache.dir, "build-*")); len(leftovers) != 0 {
				t.Errorf("the build left %v", leftovers)
			}
			if c.fails != nil {
				wantError(t, err, nil, c.fails...)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if r.Ref != s.image.Ref || string(r.How) != c.events[len(c.events)-1] || r.Origin != r.How || r.Digest != digestOf(t, r.Image) {
				t.Errorf("got %+v", r)
			}
			if err := s.store.Cache.Verify(t.Context(), r.Image); err != nil {
				t.Error(err)
			}
			calls, builds := s.net.calls.Load(), s.builds
			again, err := s.store.Get(t.Context(), s.image)
			if err != nil || again.How != Present || again.Origin != r.Origin || again.Digest != r.Digest {
				t.Errorf("the second time it comes from the cache: %+v, %v", again.Entry, err)
			}
			if s.net.calls.Load() != calls || s.builds != builds {
				t.Error("the second time it was pulled or built again")
			}
		})
	}
}

func TestGet_ReportsAFailedPull(t *testing.T) {
	host := registryWith(t, nil)
	t.Run("each image that a registry lacks, with the reason", func(t *testing.T) {
		s := newShop(t, host+"/missing:1", true)
		for _, ref := range []string{"example.org/a:1", "example.org/b:1"} {
			s.image.Ref = ref
			if _, err := s.store.Get(t.Context(), s.image); err != nil {
				t.Fatal(err)
			}
			if err := s.store.Cache.Remove(t.Context(), mustKey(t, s)); err != nil {
				t.Fatal(err)
			}
		}
		if len(s.notes) != 2 {
			t.Fatalf("observed %q", s.notes)
		}
		for n, ref := range []string{"example.org/a:1", "example.org/b:1"} {
			if note := s.notes[n]; !strings.HasPrefix(note, ref+": building it from source, because it cannot be pulled: ") || !strings.Contains(note, "NAME_UNKNOWN") ||
				strings.Contains(note, "\n") {
				t.Errorf("observed %q", note)
			}
		}
	})
	t.Run("once, where there is no network", func(t *testing.T) {
		s := newShop(t, host+"/missing:1", false)
		for range 2 {
			if _, err := s.store.Get(t.Context(), s.image); err != nil {
				t.Fatal(err)
			}
			if err := s.store.Cache.Remove(t.Context(), mustKey(t, s)); err != nil {
				t.Fatal(err)
			}
		}
		if len(s.notes) != 1 || !strings.Contains(s.notes[0], ": building missing images from source: "+ErrOffline.Error()) ||
			!strings.Contains(s.notes[0], "no route to host") {
			t.Errorf("observed %q", s.notes)
		}
	})
}

func mustKey(t *testing.T, s *shop) string {
	t.Helper()
	key, err := Key(s.image.Recipe, s.store.SourceTree, goVersion())
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestGet_PullKeyIsTheReferencePulled(t *testing.T) {
	host := registryWith(t, map[string]v1.Image{"kind:1": imageOf(t, "old"), "kind:2": imageOf(t, "new")})
	s := newShop(t, host+"/kind:1", true)
	first, err := s.store.Get(t.Context(), s.image)
	if err != nil {
		t.Fatal(err)
	}
	s.image.Pull = host + "/kind:2"
	second, err := s.store.Get(t.Context(), s.image)
	if err != nil || second.How != Pulled || second.Digest == first.Digest {
		t.Errorf("%s, %v; want the new one, pulled", second.How, err)
	}
	if entries, _ := s.store.Cache.Entries(); len(entries) != 1 {
		t.Errorf("%d entries, want the new one only", len(entries))
	}
}

func TestShort_FirstLineUpTo200Characters(t *testing.T) {
	for in, want := range map[string]string{
		"a\nb": "a", "": "", strings.Repeat("é", 200): strings.Repeat("é", 200), strings.Repeat("é", 201): strings.Repeat("é", 199) + "…",
	} {
		if got := short(errors.New(in)); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
}

// TestGet_BuiltEarlierWithoutASourceTree: the command runs outside of the checkout from which the image was built.
func TestGet_BuiltEarlierWithoutASourceTree(t *testing.T) {
	s := newShop(t, "", false)
	first, err := s.store.Get(t.Context(), s.image)
	if err != nil {
		t.Fatal(err)
	}
	s.store.SourceTree = ""
	second, err := s.store.Get(t.Context(), s.image)
	if err != nil || second.Key != first.Key || second.How != Present || s.builds != 1 {
		t.Errorf("%d builds, %s %s, %v", s.builds, second.How, second.Key, err)
	}
	s.store.Mode = Pull
	if _, err := s.store.Get(t.Context(), s.image); err == nil {
		t.Error("--images pull took an image that was built")
	}
}

func TestGet_RebuildsWhenASourceChanges(t *testing.T) {
	s := newShop(t, "", false)
	first, err := s.store.Get(t.Context(), s.image)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(s.store.SourceTree, "main.go"), "package main\n\nvar changed int")
	second, err := s.store.Get(t.Context(), s.image)
	if err != nil {
		t.Fatal(err)
	}
	if s.builds != 2 || second.Key == first.Key || second.How != Built {
		t.Errorf("%d builds, second %s", s.builds, second.How)
	}
	if entries, _ := s.store.Cache.Entries(); len(entries) != 1 {
		t.Errorf("%d entries, want the new one only", len(entries))
	}
}

func TestGet_ReplacesADamagedImage(t *testing.T) {
	s := newShop(t, "", false)
	r, err := s.store.Get(t.Context(), s.image)
	if err != nil {
		t.Fatal(err)
	}
	write(t, layerFile(t, s.store.Cache, r.Image, 0), "cut short")
	r, err = s.store.Get(t.Context(), s.image)
	if err != nil || r.How != Built || s.builds != 2 {
		t.Fatalf("%s after %d builds: %v", r.How, s.builds, err)
	}
	if err := s.store.Cache.Verify(t.Context(), r.Image); err != nil {
		t.Error(err)
	}
}

func TestRenew_ReplacesTheImage(t *testing.T) {
	s := newShop(t, "", false)
	r, err := s.store.Get(t.Context(), s.image)
	if err != nil {
		t.Fatal(err)
	}
	flip(t, layerFile(t, s.store.Cache, r.Image, 0))
	wantError(t, readAll(t, r.Image), ErrCorrupt)
	renewed, err := s.store.Renew(t.Context(), s.image, r)
	if err != nil || renewed.How != Built || s.builds != 2 {
		t.Fatalf("%s after %d builds: %v", renewed.How, s.builds, err)
	}
	if err := readAll(t, renewed.Image); err != nil {
		t.Errorf("renewed, it still cannot be read: %v", err)
	}
}
