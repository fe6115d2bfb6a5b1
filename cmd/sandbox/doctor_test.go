package main

import (
	"slices"
	"testing"

	"github.com/grpc-sandbox/sandbox/sandbox"
	"github.com/grpc-sandbox/sandbox/sandbox/images"
)

func TestAnEmptyCacheLacksTheWholeCatalog(t *testing.T) {
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
