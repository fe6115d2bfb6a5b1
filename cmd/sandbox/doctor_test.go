package main

import (
	"errors"
	"testing"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox/doctor"
	"github.com/grpc-sandbox/sandbox/sandbox/fixture"
)

func TestFailedChecks_CountsAndNamesThem(t *testing.T) {
	finding := func(id string, o doctor.Outcome, fix string) doctor.Finding {
		return doctor.Finding{ID: id, Result: doctor.Result{Outcome: o, Fix: remedy.Advice(fix)}}
	}
	fit := []doctor.Finding{finding("a", doctor.Pass, ""), finding("b", doctor.Warn, "never mind"), finding("c", doctor.Skip, "")}
	if err := failedChecks(fit); err != nil {
		t.Errorf("without a failure: %v", err)
	}
	err := failedChecks(append(fit, finding("d", doctor.Fail, "do this"), finding("e", doctor.Fail, "do that")))
	var coded *codedError
	if !errors.As(err, &coded) || coded.code != exitEnvironment || fixture.ErrorText(err) != "2 checks failed: d, e\ntry: do this" {
		t.Errorf("got %v", err)
	}
}
