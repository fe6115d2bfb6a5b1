package rest

import (
	"slices"
	"strings"
)

// Route is a request that the handler answers with a call.
type Route struct {
	// Verb is the HTTP method, Path the path with variables in braces: /v1/users/{userId}.
	Verb, Path string
	// Method is the gRPC method, as package.Service/Method.
	Method string
}

// Routes returns all routes, sorted by path and verb.
func Routes() (all []Route, err error) {
	doc, err := readDocument(openAPI)
	if err != nil {
		return nil, err
	}
	for path, verbs := range doc.Paths {
		for verb, operation := range verbs {
			for _, b := range backends() {
				// The tag of an operation is the name of its gRPC service, without the package.
				if slices.ContainsFunc(operation.Tags, func(tag string) bool { return strings.HasSuffix(b.service, "."+tag) }) {
					all = append(all, Route{Verb: strings.ToUpper(verb), Path: path, Method: b.service + "/" + operation.OperationID})
				}
			}
		}
	}
	slices.SortFunc(all, func(a, b Route) int { return strings.Compare(a.Path+" "+a.Verb, b.Path+" "+b.Verb) })
	return all, nil
}
