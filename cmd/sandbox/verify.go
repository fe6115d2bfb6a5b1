package main

import (
	"context"
	"crypto/rand"
	"errors"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/services/contracts"
)

func newVerify(w world, g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "verify [CONTRACT|PROVIDER...]",
		Short: "Replay contracts against the services that run, and compare their descriptors with the tree's",
		Long: `Replay every interaction of the contracts against the services that run, each with the certificate of its consumer, and compare what
each provider says of itself by reflection with the descriptors of this command.

It may be done while the shop sells. It buys one order, the first time; for some seconds stock and money are held for orders that
nobody placed, which an audit meanwhile tells, and then released and refunded. What a killed verify left, the next one takes back.

Exit code: 0 everything holds, 1 something does not, 3 a service cannot be reached.`,
		Example: `  sandbox contracts verify
  sandbox contracts verify orderservice__paymentservice inventoryservice`,
		Args: cobra.ArbitraryArgs,
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			all, err := contracts.All()
			if err != nil {
				return nil, cobra.ShellCompDirectiveError
			}
			return contractNames(all), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error { return verifyContracts(cmd.Context(), w, g, args) },
	}
	outputFlag(cmd, g)
	return cmd
}

func verifyContracts(ctx context.Context, w world, g *globals, names []string) error {
	asJSON, err := g.asJSON()
	if err != nil {
		return err
	}
	all, err := contracts.All()
	if err != nil {
		return err
	}
	chosen, err := selectContracts(all, names)
	if err != nil {
		return err
	}
	c, err := openCluster(ctx, w, g)
	if err != nil {
		return err
	}
	defer c.Close()
	v := newVerifier(rand.Text(), func(ctx context.Context, consumer, provider string) (grpc.ClientConnInterface, error) {
		return c.DialAs(ctx, consumer, provider)
	})
	v.command = g.commandLine
	notes := runNotes{c.Folders.Contracts(c.Name)}
	if err := v.takeBackKilled(ctx, w.stderr, notes, all); err != nil {
		return err
	}
	forget, err := notes.keep(v.replayer.Run)
	if err != nil {
		return err
	}
	doc, err := v.verify(ctx, chosen)
	// When it cannot be taken back the note stays, so that the next verify does it.
	if left := v.takeBackOwn(ctx); left != nil {
		err = errors.Join(err, remedy.Wrap(left, remedy.Advicef("%s, which takes it back first", remedy.Command("contracts", "verify"))))
	} else {
		err = errors.Join(err, forget())
	}
	if doc != nil {
		if werr := doc.write(w.stdout, asJSON); werr != nil {
			return errors.Join(err, werr)
		}
	}
	if err != nil {
		return err
	}
	return doc.verdict()
}
