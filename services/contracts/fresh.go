package contracts

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
)

// Values has the values of one replay by the names in Contract.Fresh.
type Values map[string]string

// prefixOf returns the prefix of every value that a run makes. What a run leaves behind is found by it.
func prefixOf(run string) string { return "contract-" + run + "-" }

// fresh makes values that were never used before.
func (r *Replayer) fresh(examples map[string]string) Values {
	v := Values{}
	for _, name := range slices.Sorted(maps.Keys(examples)) {
		r.made++
		v[name] = prefixOf(r.Run) + strconv.Itoa(r.made)
	}
	return v
}

// with returns the interaction with values in place of the examples, wherever a string in a message equals one.
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
		// The caller parses the message and reports what is wrong.
		return message
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
