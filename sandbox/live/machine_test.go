package live

import (
	"reflect"
	"slices"
	"testing"

	"github.com/grpc-sandbox/sandbox/sandbox"
	"github.com/grpc-sandbox/sandbox/sandbox/fixture"
	"github.com/grpc-sandbox/sandbox/sandbox/images"
)

func TestImagesLacking_EmptyCache(t *testing.T) {
	folders := sandbox.Folders{Cache: t.TempDir()}
	all, err := imagesLacking(folders, "../..")
	if err != nil || len(all) != len(images.All()) {
		t.Fatalf("%d images, %v; want the catalog's %d", len(all), err, len(images.All()))
	}
	for _, l := range all {
		i, _ := images.Find(l.Ref)
		if l.Registry != images.RegistryOf(i.Pull) || !slices.Equal(l.Needs, append([]string{"go"}, i.Recipe.Needs()...)) {
			t.Errorf("%+v", l)
		}
	}
}

// TestMachine_SetsEveryField matters because checks skip fields that are not set.
func TestMachine_SetsEveryField(t *testing.T) {
	fixture.Programs(t, map[string]string{"podman": `[ "$1" != info ] || echo /var/lib/containers`})
	env := map[string]string{"HOME": t.TempDir()}
	getenv := func(name string) string { return env[name] }
	folders := sandbox.Folders{Config: t.TempDir(), Cache: t.TempDir(), State: t.TempDir()}
	host, err := Machine(t.Context(), MachineOptions{Getenv: getenv, Folders: folders, Name: sandbox.DefaultName, SourceTree: "../.."})
	if err != nil {
		t.Fatal(err)
	}
	all := reflect.ValueOf(host)
	for i := range all.NumField() {
		name := all.Type().Field(i).Name
		// The caller sets these.
		ofCluster := name == "Cluster" || name == "Damage"
		if all.Field(i).IsZero() != ofCluster {
			t.Errorf("%s is %v", name, all.Field(i))
		}
	}
}
