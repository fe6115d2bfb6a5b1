package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/grpc-sandbox/sandbox/sandbox"
	"github.com/grpc-sandbox/sandbox/sandbox/certs"
)

func TestCertsList_TableAndJSON(t *testing.T) {
	end := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	trust := sandbox.Trust{Stage: certs.Switching, Roots: []sandbox.RootStatus{
		{Fingerprint: "0123456789abcdef0123", Subject: "sandbox-root-2", Role: "issuing", NotAfter: end.AddDate(10, 0, 0)},
		{Fingerprint: "fedcba9876543210fedc", Subject: "sandbox-root-1", Role: "previous", NotAfter: end},
	}}
	doc := newCertsDocument(trust, []sandbox.CertificateStatus{
		{Namespace: "cert-manager", Name: "sandbox-intermediate", Authority: true, Fingerprint: "aa", NotBefore: end, NotAfter: end.Add(time.Hour)},
		{Namespace: "shop", Name: "userservice", Fingerprint: "bb", NotBefore: end, NotAfter: end.Add(time.Hour), Why: "expired at 2030"},
		{Namespace: "shop", Name: "cli", Why: "not issued yet"},
	})
	var table strings.Builder
	if err := doc.writeTable(&table); err != nil {
		t.Fatal(err)
	}
	const want = `CERTIFICATE                        KIND          EXPIRES               FINGERPRINT       STATE
sandbox-root-2                     root          2040-01-02 03:04:05Z  0123456789abcdef  issuing
sandbox-root-1                     root          2030-01-02 03:04:05Z  fedcba9876543210  previous
cert-manager/sandbox-intermediate  intermediate  2030-01-02 04:04:05Z  aa                accepted
shop/userservice                   workload      2030-01-02 04:04:05Z  bb                expired at 2030
shop/cli                           workload      -                                       not issued yet

a replacement of the root is in progress or was interrupted: switching
`
	if diff := cmp.Diff(want, table.String()); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
	got, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	const wantJSON = `{"rotation":"switching","roots":[{"subject":"sandbox-root-2","role":"issuing","fingerprint":"0123456789abcdef0123","notAfter":"2040-01-02T03:04:05Z"},` +
		`{"subject":"sandbox-root-1","role":"previous","fingerprint":"fedcba9876543210fedc","notAfter":"2030-01-02T03:04:05Z"}],"certificates":[` +
		`{"namespace":"cert-manager","name":"sandbox-intermediate","kind":"intermediate","fingerprint":"aa","notBefore":"2030-01-02T03:04:05Z","notAfter":"2030-01-02T04:04:05Z","accepted":true,"why":""},` +
		`{"namespace":"shop","name":"userservice","kind":"workload","fingerprint":"bb","notBefore":"2030-01-02T03:04:05Z","notAfter":"2030-01-02T04:04:05Z","accepted":false,"why":"expired at 2030"},` +
		`{"namespace":"shop","name":"cli","kind":"workload","fingerprint":"","accepted":false,"why":"not issued yet"}]}`
	if diff := cmp.Diff(wantJSON, string(got)); diff != "" {
		t.Errorf("JSON (-want +got):\n%s", diff)
	}
}
