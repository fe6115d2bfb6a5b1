// Package contracts records what a consumer expects of a provider, in the consumer's tests, and replays it in the provider's.
package contracts

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// Contract is what one consumer expects of one provider.
type Contract struct {
	Consumer     string        `json:"consumer"`
	Provider     string        `json:"provider"`
	Interactions []Interaction `json:"interactions"`
}

// Interaction is one call: unary ones send once and receive once, streams follow their script.
type Interaction struct {
	Name     string             `json:"name"`
	State    string             `json:"state,omitempty"` // what the provider must have before; its tests know how
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
}

// Matcher loosens what is expected at a path. Exactly one is set.
type Matcher struct {
	Type  bool   `json:"type,omitempty"`  // the same type as the example
	Regex string `json:"regex,omitempty"` // a text that it matches, whole
	Each  bool   `json:"each,omitempty"`  // at least one element, each like the first of the example
}

// file is where the contract of a pair is kept.
func file(consumer, provider string) string {
	_, here, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(here), consumer+"__"+provider+".json")
}

// Load reads the contract of a pair.
func Load(consumer, provider string) (Contract, error) {
	var c Contract
	data, err := os.ReadFile(file(consumer, provider))
	if err == nil {
		err = json.Unmarshal(data, &c)
	}
	if err != nil {
		return Contract{}, fmt.Errorf("reading the contract of %s with %s: %w", consumer, provider, err)
	}
	return c, nil
}

// Keep compares the contract with its file; update writes it anew.
func (c Contract) Keep(t testing.TB, update bool) {
	t.Helper()
	data, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	name := file(c.Consumer, c.Provider)
	if update {
		if err := os.WriteFile(name, append(data, '\n'), 0o644); err != nil { //nolint:gosec // a file of the tree
			t.Fatal(err)
		}
	}
	kept, err := os.ReadFile(name)
	if err != nil || string(kept) != string(data)+"\n" {
		t.Errorf("%s does not say what %s expects of %s now (%v); after a look at it, run this test with -update", filepath.Base(name), c.Consumer, c.Provider, err)
	}
}
