package grammar

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"

	"go.yaml.in/yaml/v3"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
)

// jsonNumber is the form of a number in JSON. Other numbers of YAML, such as 007 and 0x1f, are rendered as texts.
var jsonNumber = regexp.MustCompile(`^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$`)

// JSON renders an object as JSON text. Texts, including dates and numbers with leading zeros, stay as written; so do templates inside them.
func (n Node) JSON() string {
	if n.yaml.Kind != yaml.MappingNode {
		n.Problem(remedy.Value(`{userId: "u-1"}`), "want fields, got %s", describe(n.yaml))
		return ""
	}
	return string(n.value())
}

func (n Node) value() json.RawMessage {
	switch n.yaml.Kind {
	case yaml.MappingNode:
		return n.fieldsValue()
	case yaml.SequenceNode:
		out := []byte("[")
		for i, item := range n.yaml.Content {
			if i > 0 {
				out = append(out, ',')
			}
			path := fmt.Sprintf("%s[%d]", n.path, i)
			n.file.lines[path] = item.Line
			out = append(out, Node{item, item.Line, path, n.file}.value()...)
		}
		return append(out, ']')
	case yaml.ScalarNode:
		return n.scalarValue()
	default:
		// An alias is refused, because it can make a short file grow without bound.
		n.Problem(remedy.Advice("write the value out"), "got %s", describe(n.yaml))
		return json.RawMessage("null")
	}
}

func (n Node) fieldsValue() json.RawMessage {
	out := []byte("{")
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.yaml.Content); i += 2 {
		key := n.yaml.Content[i]
		if key.Kind != yaml.ScalarNode || key.Tag == "!!merge" {
			n.Problem(remedy.Advice("write the fields out"), "want a field name, got %s", describe(key))
			continue
		}
		member := n.child(key.Value, key, n.yaml.Content[i+1])
		if seen[key.Value] {
			member.Problem(remedy.Advice("keep one of them"), "the field is given twice")
			continue
		}
		seen[key.Value] = true
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(append(append(out, quoted(key.Value)...), ':'), member.value()...)
	}
	return append(out, '}')
}

func (n Node) scalarValue() json.RawMessage {
	s, plain := n.yaml.Value, n.yaml.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle|yaml.TaggedStyle) == 0
	switch {
	case !plain:
	case n.yaml.Tag == "!!null":
		return json.RawMessage("null")
	case n.yaml.Tag == "!!bool" && (s == "true" || s == "false"), jsonNumber.MatchString(s):
		return json.RawMessage(s)
	}
	return quoted(s)
}

func quoted(s string) json.RawMessage {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	// A string can always be encoded.
	_ = encoder.Encode(s)
	return bytes.TrimSpace(out.Bytes())
}
