package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/random"

	"github.com/grpc-sandbox/sandbox/sandbox/fixture"
	"github.com/grpc-sandbox/sandbox/sandbox/images"
)

func TestListImages_PresentImageHasDigest(t *testing.T) {
	home := t.TempDir()
	proc := process{getenv: func(name string) string { return map[string]string{"HOME": home}[name] }}
	folders, err := proc.folders()
	if err != nil {
		t.Fatal(err)
	}
	cache, err := images.OpenCache(folders.Images())
	if err != nil {
		t.Fatal(err)
	}
	image, err := random.Image(3e6, 1)
	if err != nil {
		t.Fatal(err)
	}
	entry, _, err := cache.Put(t.Context(), images.Entry{Ref: images.NodeRef, Key: "abc", Origin: images.Built}, image)
	if err != nil {
		t.Fatal(err)
	}
	var table, document bytes.Buffer
	proc.stdout = &table
	if err := listImages(proc, &globals{output: "table"}); err != nil {
		t.Fatal(err)
	}
	if want := images.NodeRef + "  "; !strings.Contains(table.String(), want) || !strings.Contains(table.String(), "built    3   "+entry.Digest[:19]+"  the Kubernetes node") {
		t.Errorf("the table is\n%s", table.String())
	}
	proc.stdout = &document
	if err := listImages(proc, &globals{output: "json"}); err != nil {
		t.Fatal(err)
	}
	var got struct{ Images []imageRow }
	if err := json.Unmarshal(document.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Images) != len(images.All()) {
		t.Errorf("%d of %d images are listed", len(got.Images), len(images.All()))
	}
	for _, i := range got.Images {
		if there := i.Ref == images.NodeRef; (i.Digest == entry.Digest) != there || (i.Origin == images.Built) != there || (i.Size == entry.Size) != there {
			t.Errorf("got %+v", i)
		}
	}
}

func TestImagesBuild_MissingProgram(t *testing.T) {
	fixture.Programs(t, map[string]string{"go": "exit 1", "apt-get": ""})
	code, _, stderr := runIn(t.Context(), t, "images", "build", "--images", "source", "--source", "../..")
	const want = "building it needs debootstrap, which is not in PATH\ntry: sandbox up --setup\n" +
		"which runs: sudo apt-get update && sudo apt-get install --no-install-recommends debootstrap\n"
	if code != exitEnvironment || !strings.HasSuffix(stderr, want) {
		t.Errorf("ended with %d and said %q", code, stderr)
	}
}
