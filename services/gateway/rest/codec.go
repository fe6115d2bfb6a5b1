package rest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
)

// codec reads and writes messages in the JSON form of protobuf. Unlike the codec of grpc-gateway it refuses unknown fields and text after the
// message, and its output has no spaces, which protojson adds at random.
type codec struct{}

// ContentType returns the media type of all answers.
func (codec) ContentType(any) string { return "application/json" }

// Marshal writes a message. Numbers, texts and lists without a value are included, messages without one are not.
func (codec) Marshal(v any) ([]byte, error) {
	m, ok := v.(proto.Message)
	if !ok {
		return nil, fmt.Errorf("%T is not a message", v)
	}
	text, err := protojson.MarshalOptions{EmitDefaultValues: true}.Marshal(m)
	if err != nil {
		return nil, err
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, text); err != nil {
		return nil, err
	}
	compact.WriteByte('\n')
	return compact.Bytes(), nil
}

// Unmarshal reads a message.
func (codec) Unmarshal(data []byte, v any) error {
	m, ok := v.(proto.Message)
	if !ok {
		return fmt.Errorf("%T is not a message", v)
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return refusal.New(codes.InvalidArgument, ReasonMalformedBody, "the body is empty; want a JSON object")
	}
	if err := protojson.Unmarshal(data, m); err != nil {
		return malformedBody(withPlace(err.Error(), data))
	}
	return nil
}

// NewDecoder returns a decoder of one message, which is everything that r has.
func (c codec) NewDecoder(r io.Reader) runtime.Decoder {
	return runtime.DecoderFunc(func(v any) error {
		body, ok := r.(*requestBody)
		if !ok {
			return errUnrouted
		}
		err := c.Unmarshal(body.text, v)
		body.call.malformed = err
		return err
	})
}

// NewEncoder returns an encoder to w.
func (c codec) NewEncoder(w io.Writer) runtime.Encoder {
	return runtime.EncoderFunc(func(v any) error {
		text, err := c.Marshal(v)
		if err == nil {
			_, err = w.Write(text)
		}
		return err
	})
}

// requestBody is the body of a request, which is read already. The codec gets nothing else of the request.
type requestBody struct {
	call *call
	text []byte
}

// Read returns io.EOF: the codec takes the text as a whole.
func (*requestBody) Read([]byte) (int, error) { return 0, io.EOF }

// Close does nothing.
func (*requestBody) Close() error { return nil }

// malformedBody converts an error of protojson, whose text has the place, and the field if one is to blame. The text begins with "proto:" and a
// space that is sometimes a no-break space.
func malformedBody(text string) error {
	text = strings.TrimLeft(strings.TrimPrefix(text, "proto:"), " \u00a0")
	reason, field := ReasonMalformedBody, ""
	if found := fieldInError.FindStringSubmatch(text); found != nil {
		field = found[2] + found[3]
		if json.Unmarshal([]byte(found[2]), &field) != nil {
			field = strings.Trim(field, `"`)
		}
		if found[1] == "unknown" {
			reason = ReasonUnknownField
		}
	}
	if field == "" {
		return refusal.New(codes.InvalidArgument, reason, "reading the body: "+text)
	}
	return refusal.New(codes.InvalidArgument, reason, "reading the body: "+text, refusal.Violation(field, text))
}

// withPlace adds the place to an error of protojson that has none, as at the end of a text that is cut off.
func withPlace(text string, data []byte) string {
	var raw json.RawMessage
	var syntax *json.SyntaxError
	if strings.Contains(text, "(line ") || !errors.As(json.Unmarshal(data, &raw), &syntax) {
		return text
	}
	before := data[:min(int(syntax.Offset), len(data))]
	line, column := 1+bytes.Count(before, []byte("\n")), utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:])
	return fmt.Sprintf("(line %d:%d): %s", line, max(column, 1), syntax)
}

// fieldInError finds the field in an error such as `(line 1:2): unknown field "x"` or `(line 1:2): invalid value for int32 field age: "x"`.
var fieldInError = regexp.MustCompile(`(?s)(unknown|duplicate) field (".*")|invalid value for \w+ field (\w+)`)
