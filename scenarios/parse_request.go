package scenarios

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"

	"go.yaml.in/yaml/v3"
)

// jsonNumber is the form of a number in JSON. What YAML takes for a number beyond it, such as 007 or 0x1f, stays the text it is.
var jsonNumber = regexp.MustCompile(`^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$`)

// value renders a value of a request as JSON: a text as written, dates and leading zeros included.
func (n node) value() json.RawMessage {
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
			out = append(out, node{item, item.Line, path, n.file}.value()...)
		}
		return append(out, ']')
	case yaml.ScalarNode:
		return n.scalarValue()
	default: // an alias can blow a short file up without bound
		n.problem("write the value out", "got %s", describe(n.yaml))
		return json.RawMessage("null")
	}
}

func (n node) fieldsValue() json.RawMessage {
	out := []byte("{")
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.yaml.Content); i += 2 {
		key := n.yaml.Content[i]
		if key.Kind != yaml.ScalarNode || key.Tag == "!!merge" {
			n.problem("write the fields out", "want a field name, got %s", describe(key))
			continue
		}
		member := n.child(key.Value, key, n.yaml.Content[i+1])
		if seen[key.Value] {
			member.problem("keep one of them", "the field is given twice")
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

func (n node) scalarValue() json.RawMessage {
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
	_ = encoder.Encode(s) // a text always encodes
	return bytes.TrimSpace(out.Bytes())
}
