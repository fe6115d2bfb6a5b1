package main

import (
	"context"
	"errors"
	"os"
	"syscall"
	"testing"
	"time"
)

func TestWhileRead_EndsWithTheReader(t *testing.T) {
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer write.Close()
	out := newLasting(write)
	ctx, cancel := whileRead(t.Context(), out)
	defer cancel()
	read.Close()
	withSignals(func(context.Context, <-chan struct{}) int {
		for range 2 {
			if n, err := out.Write([]byte("text")); n != 4 || err != nil {
				t.Errorf("%d, %v", n, err)
			}
		}
		return 0
	})
	select {
	case <-ctx.Done():
	case <-time.After(10 * time.Second):
		t.Error("the context has not ended")
	}
}

func TestLasting_OtherErrorsAreErrors(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	if _, err := newLasting(full).Write([]byte("text")); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("got %v", err)
	}
}
