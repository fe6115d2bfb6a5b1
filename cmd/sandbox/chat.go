package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/grpc-sandbox/sandbox/sandbox/live"
	"github.com/grpc-sandbox/sandbox/services/user/userclient"
	"github.com/grpc-sandbox/sandbox/services/user/userv1"
)

func newChat(w world, g *globals) *cobra.Command {
	var name string
	var all bool
	cmd := &cobra.Command{
		Use:   "chat ROOM",
		Short: "Say what you type in a room of UserService, and hear everybody there",
		Long: `Say each line of standard input in a room of UserService, and print what everybody says there, oneself included. It ends with the input,
once all was said and heard, or with Ctrl-C.

When its stream breaks it joins again after the last message it heard, and says again what it did not hear: kill pods meanwhile, and
nothing is lost or said twice.`,
		Example: `  sandbox chat hall --as ada
  echo hello | sandbox chat hall`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			asJSON, err := g.asJSON()
			if err != nil {
				return err
			}
			c, err := openCluster(cmd.Context(), w, g)
			if err != nil {
				return err
			}
			defer c.Close()
			conn, err := c.DialAs(cmd.Context(), live.Account, "userservice")
			if err != nil {
				return err
			}
			v := &userclient.Chat{Client: userv1.NewUserServiceClient(conn), Room: args[0], User: name, Key: newKeys(), Receive: printing(w.stdout, asJSON),
				Lost: func(err error) { fmt.Fprintln(w.stderr, "joining again:", status.Convert(err).Message()) }}
			if all {
				v.After = proto.Int64(0)
			}
			ctx, leave := whileRead(cmd.Context(), w.stdout)
			defer leave()
			return leaving(ctx, v.Run(ctx, typed(ctx, w.stdin)))
		},
	}
	cmd.Flags().StringVar(&name, "as", live.Account, "who says it")
	cmd.Flags().BoolVar(&all, "all", false, "hear what was said before, from the beginning")
	outputFlag(cmd, g)
	return cmd
}

// leaving makes Ctrl-C a good end, and any other error one that the service answered.
func leaving(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil {
		return nil //nolint:nilerr // whoever leaves is told nothing of what leaving broke
	}
	return answeredError(err)
}

// newKeys makes keys that no other process makes.
func newKeys() func(int) string {
	run := rand.Text()
	return func(n int) string { return run + "-" + strconv.Itoa(n) }
}

// typed are the lines of in that have a text, until it or ctx ends. A read cannot be interrupted, so it ends with the process.
func typed(ctx context.Context, in io.Reader) <-chan string {
	lines := make(chan string)
	go func() {
		defer close(lines)
		for reader := bufio.NewReader(in); ; {
			line, err := reader.ReadString('\n')
			if line = strings.TrimSpace(line); line != "" {
				select {
				case lines <- line:
				case <-ctx.Done(): // nobody listens any more
					return
				}
			}
			if err != nil {
				return
			}
		}
	}()
	return lines
}

// printing prints messages: a line each, or an object each.
func printing(out io.Writer, asJSON bool) func(*userv1.ChatMessage) error {
	return func(m *userv1.ChatMessage) error {
		if asJSON {
			text, err := protojson.Marshal(m)
			if err == nil {
				_, err = fmt.Fprintf(out, "%s\n", text)
			}
			return err
		}
		_, err := fmt.Fprintf(out, "%s  %s  %s\n", m.GetTime().AsTime().Local().Format(time.TimeOnly), visible(m.GetUserId()), visible(m.GetText()))
		return err
	}
}

// visible keeps what somebody else says from commanding this terminal.
func visible(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return unicode.ReplacementChar
		}
		return r
	}, text)
}
