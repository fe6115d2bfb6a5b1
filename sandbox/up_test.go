package sandbox

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/grpc-sandbox/sandbox/sandbox/images"
)

// listening is a run of `up` that notes what its observer hears.
func listening(t *testing.T) (*up, *[]Progress) {
	t.Helper()
	var heard []Progress
	return &up{o: UpOptions{Name: "one", Folders: newFolders(t)}, rec: newRecorder(func(p Progress) { heard = append(heard, p) })}, &heard
}

func TestOpenStore_ReportsLeftoversItCannotRemove(t *testing.T) {
	u, heard := listening(t)
	if err := os.MkdirAll(filepath.Join(u.o.Folders.Images(), "lock"), 0o755); err != nil { // where a file belongs
		t.Fatal(err)
	}
	if err := u.openStore(); err != nil {
		t.Fatal(err)
	}
	if len(*heard) != 1 || (*heard)[0].Step != "image cache" || !strings.Contains((*heard)[0].Note, "is a directory") {
		t.Errorf("heard %+v", *heard)
	}
}

func TestImageEvent_IsReported(t *testing.T) {
	u, heard := listening(t)
	u.imageEvent(images.Event{Ref: "a", Doing: "compiling", Typical: time.Minute})
	u.imageEvent(images.Event{Ref: "a", Note: "it cannot be pulled"})
	u.imageEvent(images.Event{Ref: "a", Done: &images.Ready{Entry: images.Entry{Ref: "a", Took: time.Second}, How: images.Built}})
	u.imageEvent(images.Event{Ref: "b", Done: &images.Ready{Entry: images.Entry{Ref: "b"}, How: images.Present}})
	want := []Progress{
		{Step: "image a", Doing: "compiling", Typical: time.Minute}, {Step: "image a", Note: "it cannot be pulled"},
		{Step: "image a", Done: true, Took: time.Second},
	}
	if !slices.Equal(*heard, want) {
		t.Errorf("heard %+v, want %+v", *heard, want)
	}
	if len(u.result.Images) != 2 {
		t.Errorf("%d images are ready, want 2", len(u.result.Images))
	}
}

func TestImageProgress(t *testing.T) {
	for _, c := range []struct {
		sentence string
		event    images.Event
		want     Progress
	}{
		{"what is done", images.Event{Doing: "compiling", Typical: time.Minute}, Progress{Step: "a", Doing: "compiling", Typical: time.Minute}},
		{"what is worth keeping", images.Event{Note: "it cannot be pulled"}, Progress{Step: "a", Note: "it cannot be pulled"}},
		{"that it is there", images.Event{Done: &images.Ready{Entry: images.Entry{Took: time.Second}}}, Progress{Step: "a", Done: true, Took: time.Second}},
	} {
		if got := ImageProgress("a", c.event); got != c.want {
			t.Errorf("%s: got %+v, want %+v", c.sentence, got, c.want)
		}
	}
}
