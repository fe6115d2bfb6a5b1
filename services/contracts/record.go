package contracts

import (
	"encoding/json"

	"google.golang.org/protobuf/proto"
)

// Sent returns a move in which the consumer sends m.
func Sent(m proto.Message) Move { return Move{Send: mustCompact(m)} }

// Received returns a move in which the provider answers with a message like m.
func Received(m proto.Message) Move { return Move{Receive: mustCompact(m)} }

// Among returns a move in which the provider sends several messages, of which the one with the same field value as m is like m.
func Among(field string, m proto.Message) Move { return Move{Receive: mustCompact(m), Among: field} }

func mustCompact(m proto.Message) json.RawMessage {
	data, err := compact(m, false)
	if err != nil {
		// A test made the message, so this is a mistake in the test.
		panic(err)
	}
	return data
}
