package cluster

import "testing"

func TestEveryEngineIsAskedWhereItsStorageIs(t *testing.T) {
	for _, name := range EngineNames() {
		e, calls := fakeEngineNamed(t, name, "echo /var/lib/engine")
		if got, err := e.Storage(t.Context()); got != "/var/lib/engine" || err != nil {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
		if got, want := calls()[0], "info --format "+storageField[name]; storageField[name] == "" || got != want {
			t.Errorf("%s was asked %q, want %q", name, got, want)
		}
	}
}
