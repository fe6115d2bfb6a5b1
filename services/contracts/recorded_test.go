package contracts

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// TestAll_ContractsAreReplayable checks that the files alone are enough to replay every contract.
func TestAll_ContractsAreReplayable(t *testing.T) {
	all, err := All()
	if err != nil || len(all) == 0 {
		t.Fatal(all, err)
	}
	for _, c := range all {
		if loaded, err := Load(c.Consumer, c.Provider); err != nil || len(loaded.Interactions) != len(c.Interactions) {
			t.Errorf("%s is not in the file with its name: %v", c.Name(), err)
		}
		for name, example := range c.Fresh {
			if text, _ := json.Marshal(c.Interactions); !bytes.Contains(text, []byte(`"`+example+`"`)) {
				t.Errorf("%s has no %s, whose example is %s", c.Name(), name, example)
			}
		}
		p, seen := providers()[c.Provider], map[string]bool{}
		for _, i := range c.Interactions {
			complain := func(format string, args ...any) {
				t.Errorf("%s, %q: %s", c.Name(), i.Name, fmt.Sprintf(format, args...))
			}
			if seen[i.Name] {
				complain("the name is used twice")
			}
			seen[i.Name] = true
			if _, known := p.states[i.State]; i.State != "" && !known {
				complain("unknown state %q", i.State)
			}
			m, err := find(i.Method)
			if err != nil {
				complain("%v", err)
				continue
			}
			if _, err := codeNumber(i.Code); err != nil {
				complain("%v", err)
			}
			for _, move := range i.Script {
				d, text := m.Input(), move.Send
				if text == nil {
					d, text = m.Output(), move.Receive
				}
				if _, err := parse(d, text); err != nil {
					complain("%v", err)
				}
				if move.Among != "" && fieldOf(move.Receive, move.Among) == "nothing" {
					complain("the example lacks %s, which identifies the message", move.Among)
				}
			}
		}
	}
}

func TestLoad_Malformed(t *testing.T) {
	if _, err := Load("nobody", "userservice"); err == nil || !strings.Contains(err.Error(), "reading the contract nobody__userservice.json: ") {
		t.Errorf("a missing file: %v", err)
	}
	for text, want := range map[string]string{
		`{"consumer":"a","interactions":[{"name":"b","matchers":{}}]}`: `unknown field "matchers"`,
		`{"consumer":`: "unexpected EOF",
	} {
		if _, err := parseContract("a__b.json", []byte(text)); err == nil || !strings.Contains(err.Error(), "reading the contract a__b.json: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
