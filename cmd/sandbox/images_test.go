package main

import (
	"testing"
	"time"

	"github.com/grpc-sandbox/sandbox/sandbox"
	"github.com/grpc-sandbox/sandbox/sandbox/images"
)

func TestBuildingImagesShowsWhatHappensToEach(t *testing.T) {
	for _, c := range []struct {
		sentence string
		event    images.Event
		want     sandbox.Progress
	}{
		{"what is done", images.Event{Ref: "a", Doing: "compiling", Typical: time.Minute}, sandbox.Progress{Step: "a", Doing: "compiling", Typical: time.Minute}},
		{"what is worth keeping", images.Event{Ref: "a", Note: "it cannot be pulled"}, sandbox.Progress{Step: "a", Note: "it cannot be pulled"}},
		{"that it is there", images.Event{Ref: "a", Done: &images.Ready{Entry: images.Entry{Took: time.Second}}}, sandbox.Progress{Step: "a", Done: true, Took: time.Second}},
	} {
		if got := imageProgress(c.event); got != c.want {
			t.Errorf("%s: got %+v, want %+v", c.sentence, got, c.want)
		}
	}
}
