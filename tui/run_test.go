package tui

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/grpc-sandbox/sandbox/internal/pause"
	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// tape is an output that can be read while it is being written.
type tape struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (t *tape) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.Write(p)
}

func (t *tape) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.String()
}

func TestRun_LeavesOnAKey(t *testing.T) {
	for _, c := range []struct {
		sentence, key string
		want          error
	}{
		{"q", "q", nil},
		{"ctrl+c, with an error", "\x03", ErrInterrupted},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			in, keys := io.Pipe()
			defer keys.Close()
			var out tape
			feed := feedOf(func(context.Context, string) (snapshot, error) {
				go func() { _, _ = keys.Write([]byte(c.key)) }()
				return calm(), nil
			})
			if err := Run(t.Context(), feed, Options{In: in, Out: &out, NoColor: true, Now: func() time.Time { return noon }}); !errors.Is(err, c.want) {
				t.Fatalf("got %v", err)
			}
			if strings.Contains(out.String(), "\x1b[3") {
				t.Error("colour in spite of NoColor")
			}
			in.Close()
		})
	}
}

func TestRun_SurvivesItsFeed(t *testing.T) {
	var out tape
	reads := 0
	const shown = "the feed panicked: broken feed"
	feed := feedOf(func(ctx context.Context, source string) (snapshot, error) {
		if source != string(telemetry.Scenario) {
			return snapshot{}, nil
		}
		switch reads++; reads {
		case 1:
			panic("broken feed")
		case 2:
			// The next failure would replace the text, so this read waits until the text has been shown.
			err := pause.Until(ctx, time.Millisecond, func(context.Context) (bool, error) { return strings.Contains(out.String(), shown), nil })
			return snapshot{}, cmp.Or(err, errors.New("refused"))
		case 3:
			return snapshot{Run: &telemetry.Run{Phase: "steps"}}, nil
		}
		return snapshot{Run: &telemetry.Run{Phase: "done"}}, nil
	})
	if err := Run(t.Context(), feed, Options{Out: &out, Refresh: 30 * time.Millisecond, ExitWhenDone: true}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), shown) {
		t.Errorf("the first failure was not shown: %q", out.String())
	}
}

func TestRun_EndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	feed := feedOf(func(ctx context.Context, _ string) (snapshot, error) {
		cancel()
		<-ctx.Done()
		return snapshot{}, ctx.Err()
	})
	if err := Run(ctx, feed, Options{Out: io.Discard}); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want %v", err, context.Canceled)
	}
}

func TestRun_NeedsAnOutput(t *testing.T) {
	if err := Run(t.Context(), nil, Options{}); err == nil {
		t.Fatal("no error")
	}
}
