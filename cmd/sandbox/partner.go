package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/grpc-sandbox/sandbox/charts"
	"github.com/grpc-sandbox/sandbox/sandbox/live"
)

func newPartner(proc process, g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "partner",
		Short: "Admit partners to the gateway, and revoke them",
		Long: "A partner calls the services from outside the cluster, through the gateway, with a client certificate of its own. The key is made on this machine\n" +
			"and sent nowhere. A revoked partner is refused when the command ends; streams that it has open end within 60 s.",
		Example: "  sandbox partner add acme\n  sandbox partner list\n  sandbox partner revoke acme",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newPartnerIssue(proc, g, "add", "Issue a certificate to a new partner, or to one that was revoked", false),
		newPartnerIssue(proc, g, "renew", "Issue another certificate to a partner; the one it has stays valid until it expires", true),
		newPartnerList(proc, g), newPartnerRevoke(proc, g))
	return cmd
}

// issuer issues certificates to partners.
type issuer interface {
	IssuePartner(ctx context.Context, name, folder string, validFor time.Duration, renew bool) (live.PartnerFiles, error)
}

func newPartnerIssue(proc process, g *globals, verb, short string, renew bool) *cobra.Command {
	var folder string
	var validFor time.Duration
	cmd := &cobra.Command{
		Use:     verb + " NAME",
		Short:   short,
		Example: "  sandbox partner " + verb + " acme",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			asJSON, err := g.asJSON()
			if err != nil {
				return err
			}
			return withCluster(cmd.Context(), proc, g, func(c *live.Cluster) error {
				at := cmp.Or(folder, filepath.Join(c.Folders.Partners(c.Name), args[0]))
				doc, err := issuePartner(cmd.Context(), c, args[0], at, validFor, renew)
				if err != nil {
					return err
				}
				if doc.Address == "" {
					fmt.Fprintf(proc.stderr, "this sandbox was created by an earlier version, without a port for the gateway; PORT is that of `%s`, or `%s` and `%s` give it one\n",
						g.command("open "+charts.Gateway), g.command("down"), g.command("up"))
				}
				return writeDocument(proc.stdout, doc, asJSON)
			})
		},
	}
	cmd.Flags().StringVar(&folder, "dir", "", "folder for the certificate and the key (default: one of the sandbox)")
	cmd.Flags().DurationVar(&validFor, "valid-for", 0, "how long the certificate is valid (default 2160h, which is 90 days)")
	outputFlag(cmd, g)
	return cmd
}

// partnerDocument is what `partner add` and `partner renew` print. Add fields; never rename one.
type partnerDocument struct {
	Name string `json:"name"`
	live.PartnerFiles
	// Curl and Grpcurl are commands that call the gateway. They have the word PORT if Address is empty.
	Curl    string `json:"curl"`
	Grpcurl string `json:"grpcurl"`
}

func issuePartner(ctx context.Context, c issuer, name, folder string, validFor time.Duration, renew bool) (partnerDocument, error) {
	files, err := c.IssuePartner(ctx, name, folder, validFor, renew)
	doc := partnerDocument{Name: name, PartnerFiles: files}
	if err != nil {
		return doc, err
	}
	address := cmp.Or(files.Address, "localhost:PORT")
	doc.Curl = fmt.Sprintf("curl --cacert %s --cert %s --key %s https://%s/v1/users/u-1", files.RootsFile, files.CertificateFile, files.KeyFile, address)
	doc.Grpcurl = fmt.Sprintf(`grpcurl -cacert %s -cert %s -key %s -protoset %s -d '{"userId":"u-1"}' %s user.v1.UserService/GetUser`,
		files.RootsFile, files.CertificateFile, files.KeyFile, files.ProtosFile, address)
	return doc, nil
}

func (d partnerDocument) writeTable(out io.Writer) error {
	fmt.Fprintf(out, "%s: the certificate is valid until %s\n", d.Name, d.Certificate.NotAfter.UTC().Format("2006-01-02 15:04Z"))
	fmt.Fprintf(out, "certificate: %s\nkey:         %s\nroots:       %s\n", d.CertificateFile, d.KeyFile, d.RootsFile)
	_, err := fmt.Fprintf(out, "\n%s\n\n%s\n", d.Curl, d.Grpcurl)
	return err
}

// partnersDocument is what `partner list -o json` prints. Add fields; never rename one.
type partnersDocument struct {
	Partners []live.Partner `json:"partners"`
	now      time.Time
}

func newPartnerList(proc process, g *globals) *cobra.Command {
	return newList(proc, g, "List the partners, and when their certificates expire", func(ctx context.Context, c *live.Cluster) (document, error) {
		all, err := c.Partners(ctx)
		return partnersDocument{all, time.Now()}, err
	})
}

func (d partnersDocument) writeTable(out io.Writer) error {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "PARTNER\tSTATE\tEXPIRES\tSERIAL")
	for _, p := range d.Partners {
		for _, c := range p.Certificates {
			state := "valid"
			switch {
			case !c.Revoked.IsZero():
				state = "revoked " + c.Revoked.UTC().Format("2006-01-02 15:04Z")
			case d.now.After(c.NotAfter):
				state = "expired"
			case c.NotAfter.Sub(d.now) < 14*24*time.Hour:
				state = fmt.Sprintf("valid for %s more", roughly(c.NotAfter.Sub(d.now)))
			}
			fmt.Fprintf(t, "%s\t%s\t%s\t%.16s\n", p.Name, state, c.NotAfter.UTC().Format("2006-01-02 15:04Z"), c.Serial)
		}
	}
	return t.Flush()
}

// roughly returns a duration in whole hours, or in minutes if it is short.
func roughly(d time.Duration) string {
	if d < 2*time.Hour {
		return fmt.Sprintf("%d min", int(d.Minutes()))
	}
	return fmt.Sprintf("%d h", int(d.Hours()))
}

func newPartnerRevoke(proc process, g *globals) *cobra.Command {
	return &cobra.Command{
		Use:     "revoke NAME",
		Short:   "Revoke all certificates of a partner, and wait until the gateway refuses them",
		Example: "  sandbox partner revoke acme",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withCluster(cmd.Context(), proc, g, func(c *live.Cluster) error {
				return revokePartner(cmd.Context(), proc.stdout, c, args[0])
			})
		},
	}
}

// revoker revokes partners.
type revoker interface {
	RevokePartner(ctx context.Context, name string) (revoked int, err error)
}

func revokePartner(ctx context.Context, out io.Writer, c revoker, name string) error {
	started := time.Now()
	revoked, err := c.RevokePartner(ctx, name)
	if err != nil {
		return err
	}
	if revoked == 0 {
		_, err = fmt.Fprintf(out, "%s: was revoked before\n", name)
		return err
	}
	_, err = fmt.Fprintf(out, "%s: revoked; the gateway refuses %d certificates since %.1f s after the start of this command\n", name, revoked, time.Since(started).Seconds())
	return err
}
