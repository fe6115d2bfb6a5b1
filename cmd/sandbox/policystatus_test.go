package main

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPolicyStatus_PerProcess(t *testing.T) {
	object, err := limitDocument(t)[0].Object()
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	err = policyStatus(t.Context(), &out, fakePlane{policy: &object, absent: "userservice-3"}, "limit", false)
	const want = `limit: maxRequestsPerSecond: 50
selects app.kubernetes.io/name=userservice; accepted: not yet; in force: no (Pending)

POD            FIELD                 VERDICT   WHY
userservice-1  maxRequestsPerSecond  enforced  
userservice-2  maxRequestsPerSecond  ignored   TrafficPolicy shop/other applies instead
userservice-3  -                     ignored   the process is not connected to the control plane
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
	var coded *codedError
	if !errors.As(err, &coded) || coded.code != exitNotHeld || err.Error() != "policy limit is not in force: the control plane has not read it yet" {
		t.Errorf("error %v", err)
	}
	out.Reset()
	_ = policyStatus(t.Context(), &out, fakePlane{policy: &object, absent: "userservice-3"}, "limit", true)
	var doc map[string]any
	if err := json.Unmarshal([]byte(out.String()), &doc); err != nil || doc["name"] != "limit" || doc["inForce"] != false || len(doc["subscribers"].([]any)) != 3 {
		t.Errorf("JSON %s, %v", out.String(), err)
	}
}
