package validation

import (
	"unicode/utf8"

	"google.golang.org/grpc/encoding"
	// This registers the codec that utf8Codec wraps.
	_ "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// utf8Codec decodes messages with text that is not UTF-8. The codec of grpc-go fails on them, and callers would get INTERNAL, a failure of
// the service, for their own mistake. This codec replaces such text by a NUL character, which Text rejects with the name of its field.
type utf8Codec struct{ encoding.CodecV2 }

func newUTF8Codec() utf8Codec { return utf8Codec{encoding.GetCodecV2("proto")} }

func (c utf8Codec) Unmarshal(data mem.BufferSlice, v any) error {
	err := c.CodecV2.Unmarshal(data, v)
	if err == nil {
		return nil
	}
	message, ok := v.(proto.Message)
	if !ok {
		return err
	}
	marked, found := markText(data.Materialize(), message.ProtoReflect().Descriptor())
	if !found {
		return err
	}
	return proto.Unmarshal(marked, message)
}

// markText replaces each string that is not UTF-8 by a NUL character. found is false if there is none, or if the message is malformed in
// another way.
func markText(data []byte, d protoreflect.MessageDescriptor) (marked []byte, found bool) {
	for len(data) > 0 {
		number, kind, tag := protowire.ConsumeTag(data)
		if tag < 0 {
			return nil, false
		}
		size := protowire.ConsumeFieldValue(number, kind, data[tag:])
		if size < 0 {
			return nil, false
		}
		field, raw := d.Fields().ByNumber(number), data[:tag+size]
		if field != nil && kind == protowire.BytesType {
			value, _ := protowire.ConsumeBytes(data[tag:])
			if changed, ok := markValue(value, field); ok {
				raw = protowire.AppendBytes(protowire.AppendTag(nil, number, kind), changed)
				found = true
			}
		}
		marked, data = append(marked, raw...), data[tag+size:]
	}
	return marked, found
}

func markValue(value []byte, field protoreflect.FieldDescriptor) (marked []byte, found bool) {
	switch field.Kind() {
	case protoreflect.StringKind:
		return []byte{0}, !utf8.Valid(value)
	case protoreflect.MessageKind:
		return markText(value, field.Message())
	}
	return nil, false
}
