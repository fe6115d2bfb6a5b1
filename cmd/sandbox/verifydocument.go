package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/services/contracts"
)

// verifyDocument is what `contracts verify -o json` prints. Add fields; never rename one.
type verifyDocument struct {
	Result       string              `json:"result"` // pass or fail
	Interactions []interactionResult `json:"interactions"`
	Descriptors  []descriptorResult  `json:"descriptors"`
	breaches     []string
}

type interactionResult struct {
	Consumer    string              `json:"consumer"`
	Provider    string              `json:"provider"`
	Interaction string              `json:"interaction"`
	Method      string              `json:"method"`
	Result      string              `json:"result"` // pass, fail or skip
	Why         string              `json:"why"`    // of a skip
	Problems    []contracts.Problem `json:"problems"`
}

type descriptorResult struct {
	Provider string              `json:"provider"`
	Result   string              `json:"result"` // pass or fail
	Problems []contracts.Problem `json:"problems"`
	More     []string            `json:"more"` // deployed, and not in the tree: no problem
}

func (d *verifyDocument) addInteraction(r contracts.Result) {
	row := interactionResult{r.Consumer, r.Provider, r.Interaction, r.Method, resultOf(r.Problems), r.Skipped, append([]contracts.Problem{}, r.Problems...)}
	if r.Skipped != "" {
		row.Result = "skip"
	}
	d.Interactions = append(d.Interactions, row)
	d.breaches = append(d.breaches, r.Breaches()...)
}

func (d *verifyDocument) addDescriptors(provider string, problems []contracts.Problem, more []string) {
	d.Descriptors = append(d.Descriptors, descriptorResult{provider, resultOf(problems), append([]contracts.Problem{}, problems...), append([]string{}, more...)})
	for _, p := range problems {
		d.breaches = append(d.breaches, provider+" is not what the tree describes: "+p.String())
	}
}

func resultOf(problems []contracts.Problem) string {
	if len(problems) > 0 {
		return "fail"
	}
	return "pass"
}

// verdict names what does not hold.
func (d *verifyDocument) verdict() error {
	if len(d.breaches) == 0 {
		return nil
	}
	fix := remedy.Advicef("`%s` if the services are older than this command; else fix the provider, or agree on another contract", remedy.Command("up"))
	return &codedError{exitNotHeld, remedy.New(strings.Join(d.breaches, "\nsandbox: "), fix)}
}

func (d *verifyDocument) write(out io.Writer, asJSON bool) error {
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
			why = "deployed is more: " + strings.Join(r.More, ", ")
		}
		writeVerdict(t, fmt.Sprintf("the tree\t%s\tdescriptors\t%s", r.Provider, marks[r.Result]), r.Problems, why)
	}
	return t.Flush()
}

// writeVerdict writes a row, and a line more for each problem but the first.
func writeVerdict(t io.Writer, row string, problems []contracts.Problem, why string) {
	for _, p := range problems {
		fmt.Fprintf(t, "%s\t%s\n", row, p)
		row = "\t\t\t"
	}
	if why != "" || len(problems) == 0 {
		fmt.Fprintf(t, "%s\t%s\n", row, why)
	}
}
