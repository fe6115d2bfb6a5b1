package journal

import (
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/grpc-sandbox/sandbox/scenarios/action"
)

// filling is a file on a disk that can be full: a write then leaves half a line and fails.
type filling struct {
	File
	full bool
}

func (f *filling) Write(p []byte) (int, error) {
	if !f.full {
		return f.File.Write(p)
	}
	n, _ := f.File.Write(p[:len(p)/2])
	return n, syscall.ENOSPC
}

// replicasBack has the same JSON as the reversal of a scale.
type replicasBack struct {
	action.Reversal `json:"-"`
	Release         string `json:"release"`
	Replicas        int    `json:"replicas"`
}

func TestJournal_FailedWriteLeavesNoHalfLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a"+Ext)
	f, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	disk := &filling{File: f}
	j := &Journal{file: disk}
	undo := replicasBack{Release: "userservice", Replicas: 3}
	for _, full := range []bool{false, true, false} {
		disk.full = full
		if _, err := j.Intend(Entry{At: time.Now(), Kind: "scale", Step: "a step", Detail: "scale it"}, undo); (err != nil) != full {
			t.Errorf("full %v: %v", full, err)
		}
	}
	r, err := readRecord(path)
	if err != nil || len(r.unusable) > 0 || len(r.changes) != 2 || r.changes[1].Entry.Number != 2 {
		t.Errorf("%+v, %v", r, err)
	}
	if err := j.Finish(true); err != nil {
		t.Error(err)
	}
}
