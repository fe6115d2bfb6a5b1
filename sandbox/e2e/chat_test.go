//go:build e2e

package e2e

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/grpc-sandbox/sandbox/charts"
	"github.com/grpc-sandbox/sandbox/sandbox/kube"
)

func TestChat_LosesNothingWhenPodsAreKilled(t *testing.T) {
	feature(t, "chat through kills of every userservice pod", func(ctx context.Context, t *testing.T) {
		workloads := kube.Workloads{Client: connect(t), Namespace: charts.ShopNamespace}
		pods, err := workloads.Pods(ctx, "userservice")
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
		defer cancel()
		chat := shared.command(ctx, "chat", fmt.Sprint("e2e-", time.Now().UnixNano()), "--as", "ada")
		chat.Stderr = os.Stderr
		in, err := chat.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := chat.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := chat.Start(); err != nil {
			t.Fatal(err)
		}
		received := bufio.NewScanner(out)
		var texts, want []string
		hear := func() bool {
			more := received.Scan()
			if more {
				texts = append(texts, received.Text()[strings.LastIndex(received.Text(), " ")+1:])
			}
			return more
		}
		say := func(text string) {
			want = append(want, text)
			if _, err := io.WriteString(in, text+"\n"); err != nil {
				t.Fatal(err)
			}
		}
		say("first")
		hear()
		// The chat is connected to the first ready pod by name, which is the one killed.
		for range pods {
			killOne(ctx, t, workloads, "userservice")
			say(fmt.Sprint("word-", len(want)))
			hear()
		}
		_ = in.Close()
		for hear() {
			continue
		}
		if code, err := exitCode(chat.Wait()); code != 0 || err != nil {
			t.Errorf("it ended with %d, %v", code, err)
		}
		if !slices.Equal(texts, want) {
			t.Errorf("received %q, want %q", texts, want)
		}
	})
}
