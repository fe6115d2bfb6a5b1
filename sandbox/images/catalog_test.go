package images

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
)

func TestAll_EntriesAreComplete(t *testing.T) {
	seen := map[string]bool{}
	for _, i := range All() {
		for what, bad := range map[string]bool{
			"its reference appears twice":           seen[i.Ref],
			"it has no recipe":                      i.Recipe == nil,
			"it has no purpose":                     i.Purpose == "",
			"it has no licence":                     i.Licence == "",
			"it does not say how long it takes":     i.Typical <= 0,
			"it is pulled under another name":       i.Pull != "" && i.Pull != i.Ref && i.Ref != NodeRef,
			"our own program cannot be pulled":      strings.HasPrefix(i.Ref, "sandbox.local/") && i.Pull != "",
			"its recipe does not say what it reads": i.Recipe != nil && len(i.Recipe.Sources()) == 0,
		} {
			if bad {
				t.Errorf("%s: %s", i.Ref, what)
			}
		}
		if _, err := name.NewTag(i.Ref, name.StrictValidation); err != nil && i.Ref != NodeRef {
			t.Errorf("%s: %v", i.Ref, err)
		}
		seen[i.Ref] = true
	}
}

func TestAll_NodeImageIsKindsOwn(t *testing.T) {
	node, _ := Find(NodeRef)
	pull, err := name.ParseReference(node.Pull)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := pull.(name.Digest); !ok {
		t.Errorf("%s has no digest", node.Pull)
	}
	ref, err := name.ParseReference(NodeRef)
	if err != nil {
		t.Fatal(err)
	}
	if pull.Context() != ref.Context() {
		t.Errorf("%s is pulled from %s", ref.Context(), pull.Context())
	}
}

func TestRegistries_AreThoseOfTheCatalog(t *testing.T) {
	if got, want := strings.Join(Registries(), " "), "https://index.docker.io/v2/ https://quay.io/v2/"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := RegistryOf(""); got != "" {
		t.Errorf("what is only built has the registry %s", got)
	}
}

func TestAll_IsOrderedByStage(t *testing.T) {
	all := All()
	if all[0].Ref != NodeRef || all[0].Stage != ForCluster {
		t.Errorf("the node comes first, not %s", all[0].Ref)
	}
	for n := 1; n < len(all); n++ {
		if all[n].Stage < all[n-1].Stage {
			t.Errorf("%s (%d) comes after %s (%d)", all[n].Ref, all[n].Stage, all[n-1].Ref, all[n-1].Stage)
		}
	}
}

func TestFind_ByExactReference(t *testing.T) {
	for _, c := range []struct {
		sentence, ref string
		found         bool
	}{
		{"the node is in the catalog", NodeRef, true},
		{"one of our own services is in the catalog", serviceRef("userservice"), true},
		{"another tag is another image", "sandbox.local/userservice:other", false},
		{"an empty reference is not in the catalog", "", false},
	} {
		i, found := Find(c.ref)
		if found != c.found || (found && i.Ref != c.ref) {
			t.Errorf("%s: got %q, %v", c.sentence, i.Ref, found)
		}
	}
}

func TestAll_HasEveryProgram(t *testing.T) {
	for _, i := range All() {
		p, ok := i.Recipe.(Program)
		if !ok {
			continue
		}
		if user, _, _ := strings.Cut(p.User, ":"); user == "" || user == "0" || user == "root" {
			t.Errorf("%s runs as root", i.Ref)
		}
		if len(p.Entrypoint) == 0 || p.Entrypoint[0] != "/"+p.Binary.Name() {
			t.Errorf("%s starts %v, but its program is /%s", i.Ref, p.Entrypoint, p.Binary.Name())
		}
	}
}

// TestKey_CoversAllImportsOfAService guards against stale images: a source that is not in the key could change without a new image.
func TestKey_CoversAllImportsOfAService(t *testing.T) {
	const module = "github.com/grpc-sandbox/sandbox/"
	for _, i := range All() {
		p, ok := i.Recipe.(Program)
		if !ok || p.Binary.Module != "" {
			continue
		}
		cmd := exec.Command("go", "list", "-deps", p.Binary.Package)
		cmd.Dir = "../.."
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s: %v", i.Ref, err)
		}
		for _, dep := range strings.Fields(string(out)) {
			dir, inside := strings.CutPrefix(dep, module)
			covered := slices.ContainsFunc(p.Binary.Sources, func(s string) bool { return dir == s || strings.HasPrefix(dir, s+"/") })
			if inside && !covered {
				t.Errorf("%s is made of %s, which its key does not cover: %v", i.Ref, dir, p.Binary.Sources)
			}
		}
	}
}
