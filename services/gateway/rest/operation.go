package rest

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"google.golang.org/grpc/codes"

	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
)

// operation is a method and a path of the OpenAPI document.
type operation struct {
	method   string
	segments []string
	query    []parameter
	hasBody  bool
}

// match returns the values of the variables in the path, with their escapes removed. A value is one segment and not empty, so a slash in it is
// escaped. Each segment is unescaped once, after the path was split.
func (o *operation) match(escapedPath string) (values []string, ok bool) {
	segments := strings.Split(escapedPath, "/")
	if len(segments) != len(o.segments) {
		return nil, false
	}
	for i, segment := range segments {
		text, err := url.PathUnescape(segment)
		switch {
		case err != nil:
			return nil, false
		case isVariable(o.segments[i]) && text != "":
			values = append(values, text)
		case text != o.segments[i]:
			return nil, false
		}
	}
	return values, true
}

func isVariable(segment string) bool {
	return strings.HasPrefix(segment, "{") && strings.HasSuffix(segment, "}")
}

// numberedPath returns the path with a number in the place of each variable: its index in the values that match returns.
func (o *operation) numberedPath() string {
	segments, n := slices.Clone(o.segments), 0
	for i, segment := range segments {
		if isVariable(segment) {
			segments[i] = strconv.Itoa(n)
			n++
		}
	}
	return strings.Join(segments, "/")
}

// route finds the operation of a request and the values in its path. HEAD is answered as GET, without the body. OPTIONS has no operation, and
// sets the header Allow.
func route(operations []operation, header http.Header, r *http.Request) (*operation, []string, error) {
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	var methods []string
	for i := range operations {
		values, ok := operations[i].match(r.URL.EscapedPath())
		if !ok {
			continue
		}
		if slices.ContainsFunc(values, func(v string) bool { return !utf8.ValidString(v) }) {
			return nil, nil, refusal.New(codes.InvalidArgument, ReasonMalformedPath, "the path is not UTF-8")
		}
		if operations[i].method == method {
			return &operations[i], values, nil
		}
		methods = append(methods, operations[i].method)
		if operations[i].method == http.MethodGet {
			methods = append(methods, http.MethodHead)
		}
	}
	if methods == nil {
		return nil, nil, refusal.New(codes.NotFound, ReasonUnknownRoute, "no such path; /docs lists them all", refusal.Help("GET /docs lists all operations"))
	}
	allowed := strings.Join(append(methods, http.MethodOptions), ", ")
	header.Set("Allow", allowed)
	if method == http.MethodOptions {
		return nil, nil, nil
	}
	return nil, nil, notAllowed(r.Method, allowed)
}

func notAllowed(method, allowed string) error {
	return refusal.New(codes.Unimplemented, ReasonMethodNotAllowed, fmt.Sprintf("the method %q is not supported here, only %s", method, allowed))
}

// checkQuery refuses what grpc-gateway would ignore or report without the name of the field.
func (o *operation) checkQuery(raw string) error {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return refusal.New(codes.InvalidArgument, ReasonMalformedQuery, "reading the query: "+err.Error())
	}
	for _, name := range sortedKeys(values) {
		i := slices.IndexFunc(o.query, func(p parameter) bool { return p.Name == name })
		switch {
		case i < 0:
			return badField(ReasonUnknownField, name, "is not a parameter of this operation")
		case len(values[name]) > 1:
			return badField(ReasonMalformedQuery, name, "is given more than once")
		case !utf8.ValidString(values.Get(name)):
			return badField(ReasonMalformedQuery, name, "is not UTF-8")
		}
		if err := o.query[i].check(values.Get(name)); err != nil {
			return badField(ReasonMalformedQuery, name, err.Error())
		}
	}
	return nil
}

// check reports why a text is not a value of the type. The other types that protos have in a query are texts.
func (p parameter) check(text string) error {
	var err error
	switch p.Format {
	case "int32":
		_, err = strconv.ParseInt(text, 10, 32)
	case "int64":
		_, err = strconv.ParseInt(text, 10, 64)
	}
	if err != nil {
		return fmt.Errorf("%q is not an %s", text, p.Format)
	}
	return nil
}

func sortedKeys(values url.Values) []string {
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// badField returns INVALID_ARGUMENT for one field. A name that is not UTF-8 cannot be part of a detail as it is.
func badField(reason, field, description string) error {
	field, description = strings.ToValidUTF8(field, "\ufffd"), strings.ToValidUTF8(description, "\ufffd")
	return refusal.New(codes.InvalidArgument, reason, field+": "+description, refusal.Violation(field, description))
}
