package sandbox

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/grpc-sandbox/sandbox/sandbox/images"
)

// listening returns a run of `up` that records what its observer receives.
func listening(t *testing.T) (*up, *[]Progress) {
	t.Helper()
	var observed []Progress
	return &up{o: UpOptions{Name: "one", Folders: newFolders(t)}, rec: newRecorder(func(p Progress) { observed = append(observed, p) })}, &observed
}

func TestOpenStore_ReportsLeftoversItCannotRemove(t *testing.T) {
	u, observed := listening(t)
	// Put a folder where a file belongs.
	if err := os.MkdirAll(filepath.Join(u.o.Folders.Images(), "lock"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := u.openStore(); err != nil {
		t.Fatal(err)
	}
	if len(*observed) != 1 || (*observed)[0].Step != "image cache" || !strings.Contains((*observed)[0].Note, "is a directory") {
		t.Errorf("observed %+v", *observed)
	}
}

func TestImageEvent_IsReported(t *testing.T) {
	u, observed := listening(t)
	u.imageEvent(images.Event{Ref: "a", Doing: "compiling", Typical: time.Minute})
	u.imageEvent(images.Event{Ref: "a", Note: "it cannot be pulled"})
	u.imageEvent(images.Event{Ref: "a", Done: &images.Ready{Entry: images.Entry{Ref: "a", Took: time.Second}, How: images.Built}})
	u.imageEvent(images.Event{Ref: "b", Done: &images.Ready{Entry: images.Entry{Ref: "b"}, How: images.Present}})
	want := []Progress{
		{Step: "image a", Doing: "compiling", Typical: time.Minute}, {Step: "image a", Note: "it cannot be pulled"},
		{Step: "image a", Done: true, Took: time.Second},
	}
	if !reflect.DeepEqual(*observed, want) {
		t.Errorf("observed %+v, want %+v", *observed, want)
	}
	if len(u.result.Images) != 2 {
		t.Errorf("%d images are ready, want 2", len(u.result.Images))
	}
}

func TestImageProgress_OfEachEvent(t *testing.T) {
	for _, c := range []struct {
		sentence string
		event    images.Event
		want     Progress
	}{
		{"an activity", images.Event{Doing: "compiling", Typical: time.Minute}, Progress{Step: "a", Doing: "compiling", Typical: time.Minute}},
		{"a note", images.Event{Note: "it cannot be pulled"}, Progress{Step: "a", Note: "it cannot be pulled"}},
		{"completion", images.Event{Done: &images.Ready{Entry: images.Entry{Took: time.Second}}}, Progress{Step: "a", Done: true, Took: time.Second}},
	} {
		if got := imageProgress("a", c.event); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %+v, want %+v", c.sentence, got, c.want)
		}
	}
}
