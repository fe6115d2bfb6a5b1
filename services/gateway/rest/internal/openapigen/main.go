// Command openapigen completes the OpenAPI document that protoc-gen-openapiv2 writes: it adds the problem document as the answer of every error,
// and leaves out what belongs to methods without a route.
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

func main() { os.Exit(run(os.Args[1:], os.Stderr)) }

func run(args []string, stderr io.Writer) int {
	flags := flag.NewFlagSet("openapigen", flag.ContinueOnError)
	flags.SetOutput(stderr)
	input := flags.String("in", ".task/openapi/rest.swagger.json", "the document of protoc-gen-openapiv2")
	output := flags.String("o", "", "the file to write to")
	if flags.Parse(args) != nil || *output == "" {
		return 2
	}
	if err := write(*input, *output); err != nil {
		fmt.Fprintln(stderr, "completing the OpenAPI document:", err)
		return 1
	}
	return 0
}

func write(input, output string) error {
	raw, err := os.ReadFile(input)
	if err != nil {
		return err
	}
	text, err := complete(raw)
	if err != nil {
		return err
	}
	return os.WriteFile(output, text, 0o644)
}

// object is a JSON object. encoding/json writes its keys in alphabetical order, so the same input has the same output.
type object = map[string]any

// complete returns the document with its errors, summaries of one sentence, and only the tags that are used.
func complete(raw []byte) ([]byte, error) {
	var doc object
	if err := json.Unmarshal(raw, &doc); err != nil {
		return nil, err
	}
	paths, isObject := doc["paths"].(object)
	definitions, hasTypes := doc["definitions"].(object)
	if !isObject || !hasTypes {
		return nil, fmt.Errorf("the document has no paths or no definitions")
	}
	definitions["Problem"], definitions["ProblemDetail"] = problem, detail
	doc["produces"] = []any{"application/json", "application/problem+json"}
	used := map[any]bool{}
	for path, methods := range paths {
		for method, o := range methods.(object) {
			operation, isOperation := o.(object)
			if !isOperation {
				return nil, fmt.Errorf("%s %s is not an operation", method, path)
			}
			completeOperation(operation)
			for _, tag := range operation["tags"].([]any) {
				used[tag] = true
			}
		}
	}
	doc["tags"] = slices.DeleteFunc(doc["tags"].([]any), func(tag any) bool { return !used[tag.(object)["name"]] })
	for _, tag := range doc["tags"].([]any) {
		tag.(object)["description"] = oneLine(tag.(object)["description"])
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	err := encoder.Encode(doc)
	return text.Bytes(), err
}

// completeOperation divides the comment of a method into a summary and a description, and adds what all operations have in common.
func completeOperation(operation object) {
	summary, rest, more := strings.Cut(oneLine(operation["summary"]), ". ")
	if more {
		operation["description"] = strings.TrimSpace(rest + " " + oneLine(operation["description"]))
	}
	operation["summary"] = strings.TrimSuffix(summary, ".") + "."
	parameters, _ := operation["parameters"].([]any)
	for _, p := range parameters {
		if p.(object)["in"] == "body" {
			parameters = append(parameters, key)
		}
		if example, ok := examples[fmt.Sprint(p.(object)["name"])]; ok && p.(object)["in"] == "path" {
			p.(object)["x-example"] = example
		}
	}
	operation["parameters"] = append(parameters, headers...)
	operation["responses"].(object)["default"] = object{
		"description": "An error. The status and the members code and reason say which.",
		"schema":      object{"$ref": "#/definitions/Problem"},
	}
}

func oneLine(text any) string {
	s, _ := text.(string)
	return strings.Join(strings.Fields(s), " ")
}
