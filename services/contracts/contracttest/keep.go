package contracttest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/grpc-sandbox/sandbox/services/contracts"
)

// Keep compares a contract with its file in the folder of package contracts. If update is true, it writes the file first.
func Keep(t testing.TB, c contracts.Contract, update bool) {
	t.Helper()
	data, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	_, here, _, _ := runtime.Caller(0)
	path := filepath.Join(filepath.Dir(here), "..", c.Name()+".json")
	if update {
		if err := os.WriteFile(path, append(data, '\n'), 0o644); err != nil { //nolint:gosec // a file of the source tree
			t.Fatal(err)
		}
	}
	kept, err := os.ReadFile(path)
	if err != nil || string(kept) != string(data)+"\n" {
		t.Errorf("%s.json differs from what %s expects of %s (%v); if the change is intended, run this test with -update", c.Name(), c.Consumer, c.Provider, err)
	}
}
