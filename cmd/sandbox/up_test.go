package main

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/v1/random"

	"github.com/grpc-sandbox/sandbox/sandbox"
	"github.com/grpc-sandbox/sandbox/sandbox/cluster"
	"github.com/grpc-sandbox/sandbox/sandbox/images"
)

var brought = sandbox.UpResult{
	Steps: []sandbox.Took{{Step: "engine", Took: 1100 * time.Millisecond}, {Step: "cluster", Start: 1100 * time.Millisecond, Took: 32700 * time.Millisecond}},
	First: 52 * time.Second, Total: 64 * time.Second, Own: 2500 * time.Millisecond,
	Images: []images.Ready{{Entry: images.Entry{Ref: "sandbox.local/loadgen:dev", Took: 30 * time.Second}, How: images.Present}},
}

func TestTheTableOfSeconds(t *testing.T) {
	var out strings.Builder
	printSteps(&out, brought)
	const want = `
STEP                                        FROM  SECONDS
engine                                      0.0   1.1
cluster                                     1.1   32.7
first successful call                             52.0
all                                               64.0
of it neither kind nor a starting workload        2.5
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

func TestTheDocumentOfUp(t *testing.T) {
	for _, c := range []struct {
		sentence string
		result   sandbox.UpResult
		want     string
	}{
		{"all in seconds", brought, `{"name":"blue","steps":[{"name":"engine","startSeconds":0,"seconds":1.1},{"name":"cluster","startSeconds":1.1,"seconds":32.7}],` +
			`"images":[{"ref":"sandbox.local/loadgen:dev","how":"present","madeInSeconds":30}],"firstCallSeconds":52,"totalSeconds":64,"ownSeconds":2.5}`},
		{"nothing is an empty list", sandbox.UpResult{}, `{"name":"blue","steps":[],"images":[],"firstCallSeconds":0,"totalSeconds":0,"ownSeconds":0}`},
	} {
		got, err := json.Marshal(newUpDocument("blue", c.result))
		if diff := cmp.Diff(c.want, string(got)); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got)\n%s", c.sentence, err, diff)
		}
	}
}

func TestTheTableOfReleases(t *testing.T) {
	doc := statusDocument{Name: "blue", Engine: "podman", KubernetesVersion: "v1.37.2", Memory: cluster.Memory{Usage: 1800e6, WorkingSet: 1500e6}, Releases: []releaseStatus{
		{Name: "pki", Namespace: "shop", Version: "0.1.0", Ready: true}, {Name: "userservice", Namespace: "shop", Version: "0.1.0", Why: "userservice has 2 of 3 pods ready"},
	}}
	var out strings.Builder
	if err := doc.writeTable(&out); err != nil {
		t.Fatal(err)
	}
	const want = `blue on podman, Kubernetes v1.37.2: not ready
memory of the node: working set 1.50 GB, with idle page cache 1.80 GB

RELEASE      NAMESPACE  VERSION  STATE      WHY
pki          shop       0.1.0    ready      
userservice  shop       0.1.0    not ready  userservice has 2 of 3 pods ready
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

func TestImagesThatAreThereAreListedWithTheirDigest(t *testing.T) {
	home := t.TempDir()
	w := world{getenv: func(name string) string { return map[string]string{"HOME": home}[name] }}
	folders, err := w.folders()
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
	w.stdout = &table
	if err := listImages(w, &globals{output: "table"}); err != nil {
		t.Fatal(err)
	}
	if want := images.NodeRef + "  "; !strings.Contains(table.String(), want) || !strings.Contains(table.String(), "built    3   "+entry.Digest[:19]+"  the Kubernetes node") {
		t.Errorf("the table is\n%s", table.String())
	}
	w.stdout = &document
	if err := listImages(w, &globals{output: "json"}); err != nil {
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

func TestTheScreenObeysNoColor(t *testing.T) {
	for value, want := range map[string]bool{"": false, "1": true, "0": true} { // any value but none counts: no-color.org
		w := world{getenv: func(name string) string { return map[string]string{"NO_COLOR": value}[name] }}
		if got := screenOptions(w, os.Stdout, "blue", false); got.NoColor != want || got.Name != "blue" {
			t.Errorf("NO_COLOR=%q: %+v", value, got)
		}
	}
}
