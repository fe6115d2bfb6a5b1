package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox/live"
	"github.com/grpc-sandbox/sandbox/services/contracts"
	"github.com/grpc-sandbox/sandbox/services/contracts/verify"
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
	v := verify.New(rand.Text(), live.Account, func(ctx context.Context, consumer, provider string) (grpc.ClientConnInterface, error) {
		return c.DialAs(ctx, consumer, provider)
	})
	return runVerify(ctx, w, g, verification{v, verify.Journal{Dir: c.Folders.Contracts(c.Name)}, all, chosen, asJSON})
}

// verification is one run of `contracts verify`.
type verification struct {
	verifier *verify.Verifier
	journal  verify.Journal
	all      []contracts.Contract
	chosen   verify.Selection
	asJSON   bool
}

func runVerify(ctx context.Context, w world, g *globals, v verification) error {
	if err := v.cleanUpKilled(ctx, w, g); err != nil {
		return err
	}
	forget, err := v.journal.Start(v.verifier.Run())
	if err != nil {
		return err
	}
	doc, err := v.verifier.Verify(ctx, v.chosen)
	// When something is left the record stays, so that the next verify removes it.
	if left := v.verifier.CleanUp(ctx); left != nil {
		err = errors.Join(err, remedy.Wrap(left, remedy.Advicef("%s, which cleans up first", remedy.Command("contracts", "verify"))))
	} else {
		err = errors.Join(err, forget())
	}
	if doc != nil {
		if werr := writeVerified(w.stdout, doc, v.asJSON); werr != nil {
			return errors.Join(err, werr)
		}
	}
	if err != nil {
		return err
	}
	return verdict(doc)
}

// cleanUpKilled removes what killed runs left. What cannot be removed now stays recorded.
func (v verification) cleanUpKilled(ctx context.Context, w world, g *globals) error {
	return v.journal.Killed(func(run string) bool {
		err := v.verifier.CleanUpRun(ctx, v.all, run)
		if err != nil {
			g.printError(w, "sandbox: cleaning up after a killed verify:", err)
		} else {
			fmt.Fprintln(w.stderr, "cleaned up after a killed verify")
		}
		return err == nil
	})
}
