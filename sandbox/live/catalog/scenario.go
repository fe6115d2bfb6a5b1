package catalog

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/grpc-sandbox/sandbox/charts"
	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox"
	"github.com/grpc-sandbox/sandbox/scenarios"
	"github.com/grpc-sandbox/sandbox/services/loadgen/loadspec"
)

// LoadScenario reads a scenario and checks every name in it. Runs, dry runs and checks without a cluster all use it.
func LoadScenario(nameOrPath string) (scenarios.Scenario, error) {
	sc, err := scenarios.Load(nameOrPath)
	if err != nil {
		return sc, err
	}
	return sc, sc.Check(Known())
}

// Known returns the releases, targets and methods that a scenario may name.
func Known() scenarios.Catalog {
	known := scenarios.Catalog{Targets: charts.LoadTargets(), Call: checkCall, Methods: Methods,
		Background: []scenarios.Call{
			{Service: charts.BackgroundTarget, Method: loadspec.BackgroundMethod},
			{Service: charts.BackgroundOrdersTarget, Method: loadspec.BackgroundOrdersMethod},
		}}
	for _, r := range sandbox.Releases() {
		if r.Target {
			known.Releases = append(known.Releases, r.Name)
		}
	}
	slices.Sort(known.Releases)
	return known
}

// checkCall checks a call against the descriptor of its method, as the load generator does when it starts a load.
func checkCall(c scenarios.Call) *scenarios.CallError {
	method, wrong := methodOf(c)
	if wrong != nil {
		return wrong
	}
	template, err := loadspec.ParseTemplate(c.Request)
	if err != nil {
		return &scenarios.CallError{Field: "request", Message: err.Error(), Remedy: firstRemedy(err)}
	}
	request := template.Render(0, 0)
	var fields map[string]any
	if err := json.Unmarshal([]byte(request), &fields); err != nil {
		return &scenarios.CallError{Field: "request", Message: fmt.Sprintf("not a request: %s", err),
			Remedy: remedy.Advice("put templates into texts, and write numbers in decimal")}
	}
	if path, valid, ok := unknownField(method.Input(), fields); !ok {
		return &scenarios.CallError{Field: "request." + path, Remedy: scenarios.Suggest(path[strings.LastIndex(path, ".")+1:], valid),
			Message: fmt.Sprintf("%s has no such field", method.Input().FullName())}
	}
	if err := protojson.Unmarshal([]byte(request), dynamicpb.NewMessage(method.Input())); err != nil {
		return &scenarios.CallError{Field: "request", Message: fmt.Sprintf("not a %s: %s", method.Input().FullName(), plainProto(err)),
			Remedy: remedy.Command("call", c.Method, "{…}")}
	}
	return nil
}

// methodOf returns the descriptor of the unary method that a call names.
func methodOf(c scenarios.Call) (protoreflect.MethodDescriptor, *scenarios.CallError) {
	service, name, _ := strings.Cut(c.Method, "/")
	var services, methods []string
	for _, s := range Services() {
		if s.Release != c.Service {
			continue
		}
		services = append(services, string(s.FullName()))
		for _, m := range s.Unary() {
			methods = append(methods, string(s.FullName())+"/"+string(m.Name()))
			if string(s.FullName()) == service && string(m.Name()) == name {
				return m, nil
			}
		}
		if m := s.Methods().ByName(protoreflect.Name(name)); m != nil && string(s.FullName()) == service {
			return nil, &scenarios.CallError{Field: "method", Message: fmt.Sprintf("%s is a stream; a load makes unary calls", c.Method), Remedy: scenarios.Suggest("", s.names())}
		}
	}
	message := fmt.Sprintf("%s does not serve %q", c.Service, service)
	if slices.Contains(services, service) {
		message = fmt.Sprintf("%s has no method %q", service, name)
	}
	return nil, &scenarios.CallError{Field: "method", Message: message, Remedy: scenarios.Suggest(c.Method, methods)}
}

func (s Service) names() []string {
	var out []string
	for _, m := range s.Unary() {
		out = append(out, string(s.FullName())+"/"+string(m.Name()))
	}
	return out
}

// unknownField finds the first field that a message does not have. It returns its path and the fields that are valid there; ok is true if all fields
// are known.
func unknownField(message protoreflect.MessageDescriptor, fields map[string]any) (path string, valid []string, ok bool) {
	if strings.HasPrefix(string(message.FullName()), "google.protobuf.") {
		// Well-known types have a JSON form of their own.
		return "", nil, true
	}
	for i := range message.Fields().Len() {
		valid = append(valid, message.Fields().Get(i).JSONName())
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		value := fields[name]
		f := message.Fields().ByJSONName(name)
		if f == nil {
			f = message.Fields().ByTextName(name)
		}
		if f == nil {
			return name, valid, false
		}
		if f.Message() == nil || f.IsMap() {
			continue
		}
		items, many := value.([]any)
		if !many {
			items = []any{value}
		}
		for i, item := range items {
			if inner, isFields := item.(map[string]any); isFields {
				if path, valid, ok := unknownField(f.Message(), inner); !ok {
					at := name
					if many {
						at = fmt.Sprintf("%s[%d]", name, i)
					}
					return at + "." + path, valid, false
				}
			}
		}
	}
	return "", valid, true
}

// protoPrefix matches the prefix of protojson's errors, which varies on purpose.
var protoPrefix = regexp.MustCompile(`^proto:\s*(\(line \d+:\d+\):\s*)?`)

func plainProto(err error) string {
	return protoPrefix.ReplaceAllString(strings.ReplaceAll(err.Error(), "\u00a0", " "), "")
}

// firstRemedy returns the first remedy of an error, or the zero Remedy.
func firstRemedy(err error) remedy.Remedy {
	all := remedy.Of(err)
	if len(all) == 0 {
		return remedy.Remedy{}
	}
	return all[0]
}
