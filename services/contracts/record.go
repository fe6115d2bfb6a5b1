package contracts

import (
	"encoding/json"

	"google.golang.org/protobuf/proto"
)

// Sent is a move of a script: the consumer sends.
func Sent(m proto.Message) Move { return Move{Send: mustCompact(m)} }

// Received is a move of a script: the provider answers, with something like this.
func Received(m proto.Message) Move { return Move{Receive: mustCompact(m)} }

// Among is a move of a script: among what the provider answers is something like this, found by a field of it.
func Among(field string, m proto.Message) Move { return Move{Receive: mustCompact(m), Among: field} }

func mustCompact(m proto.Message) json.RawMessage {
	data, err := compact(m, false)
	if err != nil {
		panic(err) // a message made by a test
	}
	return data
}
