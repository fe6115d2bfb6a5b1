package contracts

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
)

// Values are what one replay puts in the place of the examples in Contract.Fresh, by name.
type Values map[string]string

// beginning is that of every value that a run makes: what the run has left is found by it.
func beginning(run string) string { return "contract-" + run + "-" }

// fresh makes values that nobody has used before.
func (r *Replayer) fresh(examples map[string]string) Values {
	v := Values{}
	for _, name := range slices.Sorted(maps.Keys(examples)) {
		r.made++
		v[name] = beginning(r.Run) + strconv.Itoa(r.made)
	}
	return v
}

// with puts values in the place of examples, wherever a text of a message is one of them.
func (i Interaction) with(examples map[string]string, v Values) Interaction {
	byExample := map[string]string{}
	for name, example := range examples {
		byExample[example] = v[name]
	}
	i.Script = slices.Clone(i.Script)
	for n, move := range i.Script {
		i.Script[n].Send, i.Script[n].Receive = replacing(move.Send, byExample), replacing(move.Receive, byExample)
	}
	return i
}

func replacing(message json.RawMessage, byExample map[string]string) json.RawMessage {
	var value any
	if message == nil || json.Unmarshal(message, &value) != nil {
		return message // whoever parses it says what is wrong
	}
	data, err := json.Marshal(replaced(value, byExample))
	if err != nil {
		return message
	}
	return data
}

func replaced(value any, byExample map[string]string) any {
	switch value := value.(type) {
	case string:
		if other, is := byExample[value]; is {
			return other
		}
	case []any:
		for n := range value {
			value[n] = replaced(value[n], byExample)
		}
	case map[string]any:
		for key := range value {
			value[key] = replaced(value[key], byExample)
		}
	}
	return value
}
