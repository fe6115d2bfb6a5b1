package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox"
	"github.com/grpc-sandbox/sandbox/sandbox/kube"
	"github.com/grpc-sandbox/sandbox/sandbox/live"
)

// certsDocument is what `certs list -o json` prints. Add fields; never rename one.
type certsDocument struct {
	// Rotation is steady, introducing, switching or retiring.
	Rotation     string              `json:"rotation"`
	Roots        []rootDocument      `json:"roots"`
	Certificates []certificateOfList `json:"certificates"`
}

type rootDocument struct {
	Subject string `json:"subject"`
	// Role is issuing, next, previous or retired.
	Role        string    `json:"role"`
	Fingerprint string    `json:"fingerprint"`
	NotAfter    time.Time `json:"notAfter"`
}

type certificateOfList struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// Kind is intermediate or workload.
	Kind        string    `json:"kind"`
	Fingerprint string    `json:"fingerprint"`
	NotBefore   time.Time `json:"notBefore,omitzero"`
	NotAfter    time.Time `json:"notAfter,omitzero"`
	// Accepted is true if a peer that trusts the mounted roots would accept the certificate.
	Accepted bool `json:"accepted"`
	// Why is the reason if Accepted is false.
	Why string `json:"why"`
}

func newCerts(proc process, g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "certs",
		Short: "List certificates, renew them or replace the root, without failed calls",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newCertsList(proc, g), newCertsRenew(proc, g), newCertsRotateRoot(proc, g))
	return cmd
}

func newCertsList(proc process, g *globals) *cobra.Command {
	return newList(proc, g, "List the roots and certificates, when they expire, and whether peers would accept them", func(ctx context.Context, c *live.Cluster) (document, error) {
		return listCerts(ctx, c.Kube)
	})
}

func listCerts(ctx context.Context, client *kube.Client) (document, error) {
	trust, err := sandbox.RootsOf(ctx, client)
	if err != nil {
		return nil, err
	}
	all, err := sandbox.Certificates(ctx, client)
	if err != nil {
		return nil, err
	}
	return newCertsDocument(trust, all), nil
}

func newCertsDocument(trust sandbox.Trust, all []sandbox.CertificateStatus) certsDocument {
	doc := certsDocument{Rotation: string(trust.Stage), Roots: []rootDocument{}, Certificates: []certificateOfList{}}
	for _, r := range trust.Roots {
		doc.Roots = append(doc.Roots, rootDocument{r.Subject, r.Role, r.Fingerprint, r.NotAfter.UTC()})
	}
	for _, c := range all {
		kind := "workload"
		if c.Authority {
			kind = "intermediate"
		}
		doc.Certificates = append(doc.Certificates, certificateOfList{c.Namespace, c.Name, kind, c.Fingerprint, c.NotBefore, c.NotAfter, c.Why == "", c.Why})
	}
	return doc
}

func (d certsDocument) writeTable(out io.Writer) error {
	end := func(t time.Time) string {
		if t.IsZero() {
			return "-"
		}
		return t.UTC().Format("2006-01-02 15:04:05Z")
	}
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "CERTIFICATE\tKIND\tEXPIRES\tFINGERPRINT\tSTATE")
	for _, r := range d.Roots {
		fmt.Fprintf(t, "%s\troot\t%s\t%.16s\t%s\n", r.Subject, end(r.NotAfter), r.Fingerprint, r.Role)
	}
	for _, c := range d.Certificates {
		state := "accepted"
		if !c.Accepted {
			state = c.Why
		}
		fmt.Fprintf(t, "%s/%s\t%s\t%s\t%.16s\t%s\n", c.Namespace, c.Name, c.Kind, end(c.NotAfter), c.Fingerprint, state)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if d.Rotation != "steady" {
		fmt.Fprintf(out, "\na replacement of the root is in progress or was interrupted: %s\n", d.Rotation)
	}
	return nil
}

func newCertsRenew(proc process, g *globals) *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "renew {NAME… | --all}",
		Short: "Renew certificates with new keys, and wait until every pod presents its new certificate",
		Long: "Renew certificates with new keys, and wait until every pod presents its new certificate.\n\n" +
			"A name is NAME or NAMESPACE/NAME, as `sandbox certs list` prints it. sandbox-intermediate is the certificate authority that signs the\n" +
			"certificates of all workloads. Renewing it does not change the trusted roots. --all renews it first and then every workload's certificate.",
		RunE: func(cmd *cobra.Command, names []string) error {
			if all == (len(names) > 0) {
				return &codedError{exitUsage, remedy.New("renewing certificates: want names or --all", remedy.Command("certs", "renew", "--all"))}
			}
			err := replaceCertificates(proc, g, func(o sandbox.CertificateOptions) error { return sandbox.RenewCertificates(cmd.Context(), o, names) })
			var unknown *sandbox.UnknownCertificateError
			if errors.As(err, &unknown) {
				return &codedError{exitUsage, err}
			}
			if err == nil {
				fmt.Fprintln(proc.stdout, "renewed; every pod presents its new certificate")
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "renew the intermediate and the certificates of all workloads")
	return cmd
}

func newCertsRotateRoot(proc process, g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "rotate-root",
		Short: "Replace the root certificate without a failed call",
		Long: "Replace the root certificate that all workloads trust, without a failed call:\n\n" +
			"  1. every pod trusts both the old root and a new one\n" +
			"  2. every certificate is renewed under the new root, and every pod presents its new certificate\n" +
			"  3. no pod trusts the old root any more\n\n" +
			"Each stage ends when every pod reports it. To complete a replacement that was interrupted, repeat the command or run `sandbox up`.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			err := replaceCertificates(proc, g, func(o sandbox.CertificateOptions) error { return sandbox.RotateRoot(cmd.Context(), o) })
			if err == nil {
				fmt.Fprintln(proc.stdout, "the root is replaced; no pod trusts the old one")
			}
			return err
		},
	}
}

// replaceCertificates calls do and shows its progress.
func replaceCertificates(proc process, g *globals, do func(sandbox.CertificateOptions) error) error {
	folders, err := proc.folders()
	if err != nil {
		return err
	}
	screen := newProgressScreen(proc, g)
	defer screen.close()
	return do(sandbox.CertificateOptions{Name: g.name, Folders: folders, Observe: screen.observe})
}
