// Package contracts says what each consumer expects of a provider: recorded by the consumer's tests, replayed in the provider's, and against
// services that run.
package contracts

import "encoding/json"

// Contract is what one consumer expects of one provider.
type Contract struct {
	Consumer string `json:"consumer"`
	Provider string `json:"provider"`
	// Fresh are examples of what must be new each time, such as the id of an order, by the name that states know it by. Each replay of an
	// interaction puts a value of its own wherever a message has the example.
	Fresh        map[string]string `json:"fresh,omitempty"`
	Interactions []Interaction     `json:"interactions"`
}

// Name is that of the contract's file, without its ending.
func (c Contract) Name() string { return c.Consumer + "__" + c.Provider }

// Interaction is one call: unary ones send once and receive once, streams follow their script.
type Interaction struct {
	Name     string             `json:"name"`
	State    string             `json:"state,omitempty"` // what the provider must have before, one of states.go; any when empty
	Method   string             `json:"method"`          // user.v1.UserService/GetUser
	Metadata map[string]string  `json:"metadata,omitempty"`
	Script   []Move             `json:"script"`
	Code     string             `json:"code"`             // how it ends: OK, NOT_FOUND
	Reason   string             `json:"reason,omitempty"` // of its ErrorInfo
	Match    map[string]Matcher `json:"match,omitempty"`  // by path of what is received, such as user.name or orders[*].orderId
}

// Move sends a message to the provider, or receives one from it; the other one is empty. A received message is an example: its fields must
// be there and, where no matcher says otherwise, be equal; others may be there too.
type Move struct {
	Send    json.RawMessage `json:"send,omitempty"`
	Receive json.RawMessage `json:"receive,omitempty"`
	// Among is a field: the message that has it equal to the example's counts, and others may come before and after it. The next message
	// counts when empty.
	Among string `json:"among,omitempty"`
}

// Matcher loosens what is expected at a path. Exactly one is set.
type Matcher struct {
	Type  bool   `json:"type,omitempty"`  // the same type as the example
	Regex string `json:"regex,omitempty"` // a text that it matches, whole
	Each  bool   `json:"each,omitempty"`  // at least one element, each like the first of the example
}
