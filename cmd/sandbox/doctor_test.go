package main

import (
	"slices"
	"testing"

	"errors"
	"io"
	"reflect"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox"
	"github.com/grpc-sandbox/sandbox/sandbox/doctor"
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

func TestFailedChecks_CountsAndNamesThem(t *testing.T) {
	finding := func(id string, o doctor.Outcome, fix string) doctor.Finding {
		return doctor.Finding{ID: id, Result: doctor.Result{Outcome: o, Fix: remedy.Advice(fix)}}
	}
	fit := []doctor.Finding{finding("a", doctor.Pass, ""), finding("b", doctor.Warn, "never mind"), finding("c", doctor.Skip, "")}
	if err := failedChecks(fit); err != nil {
		t.Errorf("without a failure: %v", err)
	}
	err := failedChecks(append(fit, finding("d", doctor.Fail, "do this"), finding("e", doctor.Fail, "do that")))
	var coded *codedError
	if !errors.As(err, &coded) || coded.code != exitEnvironment || fixture.ErrorText(err) != "2 checks failed: d, e\ntry: do this" {
		t.Errorf("got %v", err)
	}
}

// TestDoctorHost_SetsEveryField matters because checks skip fields that are not set.
func TestDoctorHost_SetsEveryField(t *testing.T) {
	fixture.Programs(t, map[string]string{"podman": `[ "$1" != info ] || echo /var/lib/containers`})
	env := map[string]string{"HOME": t.TempDir()}
	proc := process{stdout: io.Discard, stderr: io.Discard, getenv: func(name string) string { return env[name] }}
	host, _, err := doctorHost(t.Context(), proc, &globals{name: sandbox.DefaultName, source: "../.."})
	if err != nil {
		t.Fatal(err)
	}
	all := reflect.ValueOf(host)
	for i := range all.NumField() {
		name := all.Type().Field(i).Name
		// There is no cluster.
		ofCluster := name == "Cluster" || name == "Damage"
		if all.Field(i).IsZero() != ofCluster {
			t.Errorf("%s is %v", name, all.Field(i))
		}
	}
}
