package contracts

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
)

//go:embed *.json
var recorded embed.FS

// All returns all contracts, sorted by file name.
func All() ([]Contract, error) {
	names, err := fs.Glob(recorded, "*.json")
	if err != nil {
		return nil, err
	}
	var all []Contract
	for _, name := range names {
		c, err := read(name)
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, nil
}

// Load returns the contract of a consumer and a provider.
func Load(consumer, provider string) (Contract, error) {
	return read(Contract{Consumer: consumer, Provider: provider}.Name() + ".json")
}

func read(name string) (Contract, error) {
	data, err := recorded.ReadFile(name)
	if err != nil {
		return Contract{}, fmt.Errorf("reading the contract %s: %w", name, err)
	}
	return parseContract(name, data)
}

func parseContract(name string, data []byte) (c Contract, err error) {
	strict := json.NewDecoder(bytes.NewReader(data))
	// An unknown field would be ignored, and what it asks for would not be checked.
	strict.DisallowUnknownFields()
	if err := strict.Decode(&c); err != nil {
		return Contract{}, fmt.Errorf("reading the contract %s: %w", name, err)
	}
	if _, err := strict.Token(); !errors.Is(err, io.EOF) {
		return Contract{}, fmt.Errorf("reading the contract %s: unexpected text after its end", name)
	}
	return c, nil
}
