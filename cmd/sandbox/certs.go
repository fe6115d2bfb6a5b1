package main

import (
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox"
)

// certsDocument is what `certs list -o json` prints. Add fields; never rename one.
type certsDocument struct {
	Rotation     string              `json:"rotation"` // steady, introducing, switching or retiring
	Roots        []rootDocument      `json:"roots"`
	Certificates []certificateOfList `json:"certificates"`
}

type rootDocument struct {
	Subject     string    `json:"subject"`
	Role        string    `json:"role"` // issuing, next, previous or retired
	Fingerprint string    `json:"fingerprint"`
	NotAfter    time.Time `json:"notAfter"`
}

type certificateOfList struct {
	Namespace   string    `json:"namespace"`
	Name        string    `json:"name"`
	Kind        string    `json:"kind"` // intermediate or workload
	Fingerprint string    `json:"fingerprint"`
	NotBefore   time.Time `json:"notBefore,omitzero"`
	NotAfter    time.Time `json:"notAfter,omitzero"`
	Accepted    bool      `json:"accepted"` // by one who trusts the mounted roots
	Why         string    `json:"why"`      // it is not
}

func newCerts(w world, g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "certs",
		Short: "List certificates, renew them, or replace the root, while calls go on",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newCertsList(w, g), newCertsRenew(w, g), newCertsRotateRoot(w, g))
	return cmd
}

func newCertsList(w world, g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the roots and every certificate, with its end and whether it would be accepted",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			asJSON, err := g.asJSON()
			if err != nil {
				return err
			}
			c, err := openCluster(cmd.Context(), w, g)
			if err != nil {
				return err
			}
			defer c.Close()
			trust, err := sandbox.RootsOf(cmd.Context(), c.Kube)
			if err != nil {
				return err
			}
			all, err := sandbox.Certificates(cmd.Context(), c.Kube)
			if err != nil {
				return err
			}
			doc := newCertsDocument(trust, all)
			if asJSON {
				return writeJSON(w.stdout, doc)
			}
			return doc.writeTable(w.stdout)
		},
	}
	outputFlag(cmd, g)
	return cmd
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
		fmt.Fprintf(out, "\nthe root is being replaced, or that was interrupted: %s\n", d.Rotation)
	}
	return nil
}

func newCertsRenew(w world, g *globals) *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "renew {NAME… | --all}",
		Short: "Have certificates issued again with new keys, and wait until every pod presents its new one",
		Long: "Have certificates issued again with new keys, and wait until every pod presents its new one.\n\n" +
			"A name is NAME or NAMESPACE/NAME, as `sandbox certs list` prints it. sandbox-intermediate is the authority that signs every workload: renewing\n" +
			"it changes what nobody trusts. --all renews it first and then every workload's certificate.",
		RunE: func(cmd *cobra.Command, names []string) error {
			if all == (len(names) > 0) {
				return &codedError{exitUsage, remedy.New("renewing certificates: want names, or --all", remedy.Command("certs", "renew", "--all"))}
			}
			err := replaceCertificates(w, g, func(o sandbox.CertificateOptions) error { return sandbox.RenewCertificates(cmd.Context(), o, names) })
			var unknown *sandbox.UnknownCertificateError
			if errors.As(err, &unknown) {
				return &codedError{exitUsage, err}
			}
			if err == nil {
				fmt.Fprintln(w.stdout, "renewed; every pod presents its new certificate")
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "renew the intermediate and every workload's certificate")
	return cmd
}

func newCertsRotateRoot(w world, g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "rotate-root",
		Short: "Replace the root that everything trusts, without a failed call",
		Long: "Replace the root that everything trusts, without a failed call:\n\n" +
			"  1. every pod trusts the old root and a new one\n" +
			"  2. every certificate is issued again under the new root, and every pod presents its new one\n" +
			"  3. no pod trusts the old root\n\n" +
			"Each stage ends when every pod reports it. A replacement that was interrupted is completed by the same command, or by `sandbox up`.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			err := replaceCertificates(w, g, func(o sandbox.CertificateOptions) error { return sandbox.RotateRoot(cmd.Context(), o) })
			if err == nil {
				fmt.Fprintln(w.stdout, "the root is replaced; nothing trusts the old one")
			}
			return err
		},
	}
}

// replaceCertificates shows the progress of do.
func replaceCertificates(w world, g *globals, do func(sandbox.CertificateOptions) error) error {
	folders, err := w.folders()
	if err != nil {
		return err
	}
	screen := newProgressScreen(w)
	defer screen.close()
	return do(sandbox.CertificateOptions{Name: g.name, Folders: folders, Observe: screen.observe})
}
