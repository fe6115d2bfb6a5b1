package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/grpc-sandbox/sandbox/charts"
	"github.com/grpc-sandbox/sandbox/sandbox"
	"github.com/grpc-sandbox/sandbox/sandbox/fixture"
	"github.com/grpc-sandbox/sandbox/sandbox/live/catalog"
	"github.com/grpc-sandbox/sandbox/services/contracts"
)

func TestSelectContracts_ByContractOrProvider(t *testing.T) {
	all := []contracts.Contract{{Consumer: "cli", Provider: "userservice"}, {Consumer: "orderservice", Provider: "userservice"}, {Consumer: "orderservice", Provider: "paymentservice"}}
	var everyProvider []string
	for _, p := range catalog.Providers() {
		everyProvider = append(everyProvider, p.Name)
	}
	for _, c := range []struct{ sentence, names, contracts, providers string }{
		{"all", "", "cli__userservice orderservice__userservice orderservice__paymentservice", strings.Join(everyProvider, " ")},
		{"one contract", "orderservice__userservice", "orderservice__userservice", "userservice"},
		{"all contracts of a provider", "userservice", "cli__userservice orderservice__userservice", "userservice"},
		{"a provider without contracts", "loadgen", "", "loadgen"},
		{"a contract and a provider, in the order of the catalogs", "loadgen orderservice__paymentservice", "orderservice__paymentservice", "loadgen paymentservice"},
	} {
		s, err := selectContracts(all, strings.Fields(c.names))
		if err != nil {
			t.Errorf("%s: %v", c.sentence, err)
		}
		var names, providers []string
		for _, c := range s.Contracts {
			names = append(names, c.Name())
		}
		for _, p := range s.Providers {
			providers = append(providers, p.Name)
		}
		if got, also := strings.Join(names, " "), strings.Join(providers, " "); got != c.contracts || also != c.providers {
			t.Errorf("%s: got %q of %q", c.sentence, got, also)
		}
	}
	_, err := selectContracts(all, []string{"nobody"})
	fixture.WantError(t, err, `"nobody" is not a contract or a provider`, "\ntry: one of cli__userservice, ", "loadgen")
}

// TestContracts_ConsumersHaveCertificates matters because a contract is replayed with the certificate of its consumer.
func TestContracts_ConsumersHaveCertificates(t *testing.T) {
	all, err := contracts.All()
	if err != nil {
		t.Fatal(err)
	}
	var workloads []any
	for _, r := range sandbox.Releases() {
		byNamespace, _ := r.Values["workloads"].(map[string]any)
		in, _ := byNamespace[charts.ShopNamespace].([]any)
		workloads = append(workloads, in...)
	}
	for _, c := range all {
		if !slices.Contains(workloads, any(c.Consumer)) {
			t.Errorf("%s has no certificate", c.Consumer)
		}
		if s, _ := selectContracts(all, []string{c.Name()}); len(s.Providers) != 1 {
			t.Errorf("%s is not in charts.Services()", c.Provider)
		}
	}
}
