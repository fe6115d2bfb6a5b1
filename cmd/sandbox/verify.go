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

func newVerify(proc process, g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "verify [CONTRACT|PROVIDER...]",
		Short: "Replay contracts against the running services and compare their descriptors",
		Long: `Replay every interaction of the contracts against the running services, each with the certificate of its consumer, and compare the
descriptors that each provider returns by gRPC reflection with those of this command.

This is safe while the shop is in use. The first run places one order. For a few seconds stock is reserved and money is charged for
orders that do not exist, which "sandbox audit" reports during that time; both are then released and refunded. The next run cleans up
after one that was killed.

Exit codes: 0 every contract passed, 1 a contract or a descriptor failed, 3 a service cannot be reached.`,
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
		RunE: func(cmd *cobra.Command, args []string) error { return verifyContracts(cmd.Context(), proc, g, args) },
	}
	outputFlag(cmd, g)
	return cmd
}

func verifyContracts(ctx context.Context, proc process, g *globals, names []string) error {
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
	c, err := openCluster(ctx, proc, g)
	if err != nil {
		return err
	}
	defer c.Close()
	v := verify.New(rand.Text(), live.Account, func(ctx context.Context, consumer, provider string) (grpc.ClientConnInterface, error) {
		return c.DialAs(ctx, consumer, provider)
	})
	return runVerify(ctx, proc, g, verification{v, verify.Journal{Dir: c.Folders.Contracts(c.Name)}, all, chosen, asJSON})
}

// verification is one run of `contracts verify`.
type verification struct {
	verifier *verify.Verifier
	journal  verify.Journal
	all      []contracts.Contract
	chosen   verify.Selection
	asJSON   bool
}

func runVerify(ctx context.Context, proc process, g *globals, v verification) error {
	if err := v.cleanUpKilled(ctx, proc, g); err != nil {
		return err
	}
	forget, err := v.journal.Start(v.verifier.Run())
	if err != nil {
		return err
	}
	doc, err := v.verifier.Verify(ctx, v.chosen)
	// If the clean-up fails the record is kept, so that the next verify repeats it.
	if left := v.verifier.CleanUp(ctx); left != nil {
		err = errors.Join(err, remedy.Wrap(left, remedy.Advicef("%s, which cleans up first", remedy.Command("contracts", "verify"))))
	} else {
		err = errors.Join(err, forget())
	}
	if doc != nil {
		if werr := writeVerified(proc.stdout, doc, v.asJSON); werr != nil {
			return errors.Join(err, werr)
		}
	}
	if err != nil {
		return err
	}
	return verdict(doc)
}

// cleanUpKilled cleans up after killed runs. It keeps the record of a run whose clean-up fails.
func (v verification) cleanUpKilled(ctx context.Context, proc process, g *globals) error {
	return v.journal.Killed(func(run string) bool {
		err := v.verifier.CleanUpRun(ctx, v.all, run)
		if err != nil {
			g.printError(proc, "sandbox: cleaning up after a killed verify:", err)
		} else {
			fmt.Fprintln(proc.stderr, "cleaned up after a killed verify")
		}
		return err == nil
	})
}
