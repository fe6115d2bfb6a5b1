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
	"github.com/grpc-sandbox/sandbox/sandbox/live/catalog"
	"github.com/grpc-sandbox/sandbox/services/user/userclient"
	"github.com/grpc-sandbox/sandbox/services/user/userv1"
)

func newChat(proc process, g *globals) *cobra.Command {
	var name string
	var all bool
	cmd := &cobra.Command{
		Use:   "chat ROOM",
		Short: "Chat in a room of UserService",
		Long: `Send each line of standard input as a message to a room of UserService, and print all messages of the room, including your own. The command
ends when all input has been sent and received back, or with Ctrl-C.

If its stream breaks, it rejoins after the last message that it received and sends unconfirmed messages again. No message is lost or
duplicated, even if pods are killed during the chat.`,
		Example: `  sandbox chat hall --as ada
  echo hello | sandbox chat hall`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			asJSON, err := g.asJSON()
			if err != nil {
				return err
			}
			room := &userclient.Chat{Room: args[0], User: name, Key: newKeys(), Receive: printing(proc.stdout, asJSON),
				Lost: func(err error) { fmt.Fprintln(proc.stderr, "rejoining:", status.Convert(err).Message()) }}
			if all {
				room.After = proto.Int64(0)
			}
			return withCluster(cmd.Context(), proc, g, func(c *live.Cluster) error { return chat(cmd.Context(), proc, c, room) })
		},
	}
	cmd.Flags().StringVar(&name, "as", live.Account, "name of the sender")
	cmd.Flags().BoolVar(&all, "all", false, "also print earlier messages of the room")
	outputFlag(cmd, g)
	return cmd
}

func chat(ctx context.Context, proc process, in dialerAs, room *userclient.Chat) error {
	conn, err := in.DialAs(ctx, live.Account, catalog.Serving(userv1.UserService_ServiceDesc.ServiceName))
	if err != nil {
		return err
	}
	room.Client = userv1.NewUserServiceClient(conn)
	ctx, leave := whileRead(ctx, proc.stdout)
	defer leave()
	return leaving(ctx, room.Run(ctx, typed(ctx, proc.stdin)))
}

// leaving returns nil after Ctrl-C. Any other error is one that the service returned.
func leaving(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil {
		return nil //nolint:nilerr // the error is a consequence of leaving
	}
	return answeredError(err)
}

// newKeys returns a function that makes the idempotency key of the n-th message. No other process makes the same keys.
func newKeys() func(int) string {
	run := rand.Text()
	return func(n int) string { return run + "-" + strconv.Itoa(n) }
}

// typed sends the lines of in that are not blank, until in or ctx ends. A read cannot be interrupted, so the goroutine may live as long as the
// process.
func typed(ctx context.Context, in io.Reader) <-chan string {
	lines := make(chan string)
	go func() {
		defer close(lines)
		for reader := bufio.NewReader(in); ; {
			line, err := reader.ReadString('\n')
			if line = strings.TrimSpace(line); line != "" {
				select {
				case lines <- line:
				case <-ctx.Done():
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

// printing returns a function that prints a message as a line of text or as a JSON object.
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

// visible replaces control characters, so that a message from someone else cannot control this terminal.
func visible(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return unicode.ReplacementChar
		}
		return r
	}, text)
}
