// Package contracts implements consumer-driven contract tests, like Pact, for gRPC.
//
// A contract lists the calls that one consumer makes to one provider, and what it needs of the answers. The consumer's tests record it, with
// the consumer's own code; the provider's tests, and `sandbox contracts verify` against a running sandbox, replay it:
//
//	consumer's test ──record──> <consumer>__<provider>.json ──replay──> provider's test
//	                                         └──────────────replay──> deployed provider
//
// Package contracttest has the test functions of both sides. This package has the format, the replay, the states that a replay needs
// (states*.go), and a comparison of deployed descriptors with those of the source tree.
package contracts

import "encoding/json"

// Contract is what one consumer expects of one provider.
type Contract struct {
	// Consumer and Provider are names of services.
	Consumer string `json:"consumer"`
	Provider string `json:"provider"`
	// Fresh has examples of values that must be new in each replay, such as the id of an order, by the name under which states know them. A
	// replay replaces each example, wherever a message has it, by a new value.
	Fresh map[string]string `json:"fresh,omitempty"`
	// Interactions are the calls.
	Interactions []Interaction `json:"interactions"`
}

// Name returns the name of the contract's file, without its extension.
func (c Contract) Name() string { return c.Consumer + "__" + c.Provider }

// Interaction is one call. A unary call sends one message and receives one; a stream follows its script.
type Interaction struct {
	// Name says what the call is for.
	Name string `json:"name"`
	// State is the state in which the provider must be before the call, one of those in states*.go. Empty means any state.
	State string `json:"state,omitempty"`
	// Method is the name of the method, such as user.v1.UserService/GetUser.
	Method string `json:"method"`
	// Metadata is sent with the call.
	Metadata map[string]string `json:"metadata,omitempty"`
	// Script has the messages in their order.
	Script []Move `json:"script"`
	// Code is the gRPC code with which the call ends, such as OK or NOT_FOUND.
	Code string `json:"code"`
	// Reason is the reason in the ErrorInfo of the error; empty if there is none.
	Reason string `json:"reason,omitempty"`
	// Match has matchers by the path of a received field, such as user.name or orders[*].orderId.
	Match map[string]Matcher `json:"match,omitempty"`
}

// Move either sends a message to the provider or receives one from it; the other field is empty. A received message is an example: its fields
// must be present and equal, unless a matcher says otherwise. Other fields may be present too.
type Move struct {
	// Send and Receive are messages in JSON.
	Send    json.RawMessage `json:"send,omitempty"`
	Receive json.RawMessage `json:"receive,omitempty"`
	// Among names a field. The received message is the one in which this field equals the example; other messages may come before and after it.
	// If Among is empty, the next message is meant.
	Among string `json:"among,omitempty"`
}

// Matcher relaxes what is expected at a path. Exactly one field is set.
type Matcher struct {
	// Type requires a value of the same type as the example.
	Type bool `json:"type,omitempty"`
	// Regex requires a string that matches as a whole.
	Regex string `json:"regex,omitempty"`
	// Each requires at least one element, and every element to match the first one of the example.
	Each bool `json:"each,omitempty"`
}
