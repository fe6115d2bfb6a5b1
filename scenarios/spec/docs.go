package spec

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/grpc-sandbox/sandbox/scenarios/action"
	"github.com/grpc-sandbox/sandbox/scenarios/expect"
	"github.com/grpc-sandbox/sandbox/scenarios/grammar"
	"github.com/grpc-sandbox/sandbox/scenarios/target"
)

// Markdown returns every field, action, expectation and limit as Markdown, from the catalogs by which files are read.
func Markdown() string {
	var b strings.Builder
	for _, s := range []struct {
		title  string
		fields []grammar.Field
	}{
		{"The file", topFields}, {"metadata", metadataFields}, {"spec", specFields}, {"spec.load", loadFields},
		{"spec.load call", callFields}, {"spec.steady", steadyFields}, {"spec.steps, next to one action", stepFields},
		{"waitFor, next to one expectation", waitForFields}, {"measure", measureFields}, {"spec.recover", recoverFields},
	} {
		fmt.Fprintf(&b, "### %s\n\n", s.title)
		grammar.WriteTable(&b, s.fields)
	}
	grammar.WriteCatalog(&b, "Actions", action.Grammar())
	grammar.WriteCatalog(&b, "Expectations", expect.Kinds())
	grammar.WriteCatalog(&b, "Limits, under abort", expect.Limits())
	return strings.TrimRight(b.String(), "\n") + "\n"
}

// WriteSchema writes a JSON Schema (draft 2020-12) of scenario files, from the catalogs by which files are read. It is for editors. It does not cover
// what depends on other fields, on the charts or on the protos; Parse and Check do.
func WriteSchema(w io.Writer) error {
	top := grammar.ObjectSchema(topFields, map[string]grammar.Schema{
		"apiVersion": {"const": APIVersion},
		"kind":       {"const": FileKind},
		"metadata":   grammar.ObjectSchema(metadataFields, nil),
		"spec":       specSchema(),
	})
	top["$schema"], top["title"] = "https://json-schema.org/draft/2020-12/schema", "A scenario of sandbox"
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(top); err != nil {
		return fmt.Errorf("writing the schema: %w", err)
	}
	return nil
}

func specSchema() grammar.Schema {
	expectations := grammar.ListSchema(grammar.OneSchema(expect.Kinds(), nil))
	load := grammar.ObjectSchema(loadFields, map[string]grammar.Schema{
		"from": {"pattern": "^(" + target.Generator + "|" + target.PartnerPrefix + "[a-z0-9-]{1,36})$"},
		"call": grammar.ObjectSchema(callFields, nil),
	})
	step := grammar.ObjectSchema(stepFields, map[string]grammar.Schema{
		"waitFor": grammar.OneSchema(expect.Kinds(), waitForFields),
		"measure": grammar.ObjectSchema(measureFields, map[string]grammar.Schema{"expect": expectations}),
	})
	return grammar.ObjectSchema(specFields, map[string]grammar.Schema{
		"load":    grammar.ListSchema(load),
		"steady":  grammar.ObjectSchema(steadyFields, map[string]grammar.Schema{"expect": expectations}),
		"steps":   grammar.ListSchema(grammar.AtMostOneSchema(step, action.Grammar(), "waitFor", "measure")),
		"recover": grammar.ObjectSchema(recoverFields, map[string]grammar.Schema{"expect": expectations}),
		"expect":  expectations,
		"abort":   grammar.ListSchema(grammar.OneSchema(expect.Limits(), nil)),
	})
}
