package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/services/contracts"
	"github.com/grpc-sandbox/sandbox/services/contracts/verify"
)

// verdict returns an error that lists every breach; nil when there is none.
func verdict(d *verify.Document) error {
	if len(d.Breaches()) == 0 {
		return nil
	}
	fix := remedy.Advicef("`%s` if the services are older than this command; otherwise fix the provider or change the contract", remedy.Command("up"))
	return &codedError{exitNotHeld, remedy.New(strings.Join(d.Breaches(), "\nsandbox: "), fix)}
}

func writeVerified(out io.Writer, d *verify.Document, asJSON bool) error {
	if asJSON {
		return writeJSON(out, d)
	}
	marks := map[string]string{"pass": "✓ pass", "fail": "✗ fail", "skip": "- skip"}
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "CONSUMER\tPROVIDER\tINTERACTION\tVERDICT\tWHY")
	for _, i := range d.Interactions {
		writeVerdict(t, fmt.Sprintf("%s\t%s\t%s\t%s", i.Consumer, i.Provider, i.Interaction, marks[i.Result]), i.Problems, i.Why)
	}
	for _, r := range d.Descriptors {
		why := ""
		if len(r.More) > 0 {
			why = "also deployed: " + strings.Join(r.More, ", ")
		}
		writeVerdict(t, fmt.Sprintf("the tree\t%s\tdescriptors\t%s", r.Provider, marks[r.Result]), r.Problems, why)
	}
	return t.Flush()
}

// writeVerdict writes a row. Each problem after the first one has a line of its own.
func writeVerdict(t io.Writer, row string, problems []contracts.Problem, why string) {
	for _, p := range problems {
		fmt.Fprintf(t, "%s\t%s\n", row, p)
		row = "\t\t\t"
	}
	if why != "" || len(problems) == 0 {
		fmt.Fprintf(t, "%s\t%s\n", row, why)
	}
}
