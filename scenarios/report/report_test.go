package report

import (
	"encoding/json"
	"testing"
)

func TestReport_KeepsItsJSONFields(t *testing.T) {
	var got map[string]json.RawMessage
	data, err := json.Marshal(Report{})
	if err == nil {
		err = json.Unmarshal(data, &got)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"scenario", "seed", "result", "startedAt", "steps", "timeline", "expectations", "recovery", "load", "cleanup"} {
		if _, ok := got[name]; !ok {
			t.Errorf("the report has lost %q", name)
		}
	}
}
