package scenarios_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
	"github.com/grpc-sandbox/sandbox/scenarios"
)

// A mistake in a file is reported with its line and field, and with a remedy.
func ExampleParse() {
	const file = `apiVersion: sandbox.dev/v1alpha1
kind: Scenario
metadata: {name: mine}
spec:
  load:
    - {name: browse, from: loadgen, call: {service: userservice, method: user.v1.UserService/GetUser}, rate: 100/h}
  steady: {for: 5s, expect: [{availability: {of: browse, atLeast: 99.9%}}]}
  steps:
    - name: kill one
      killPod: {release: userservice, cuont: 1}
  expect: [{availability: {of: browse, atLeast: 99.5%}}]
`
	_, err := scenarios.Parse("mine.yaml", []byte(file))
	var problems *scenarios.FileError
	if errors.As(err, &problems) {
		fmt.Println(problems.Text(nil))
	}
	// Output:
	// mine.yaml:6: spec.load[0].rate: want a rate per second or per minute, got "100/h"
	//   try: 200/s or 90/m
	// mine.yaml:10: spec.steps[0].killPod.cuont: unknown field
	//   try: count; valid here: release, count, gracePeriod
}

// pods are the workloads of a cluster in which every release has three ready pods.
type pods struct{}

func (pods) Pods(_ context.Context, release string) ([]telemetry.Pod, error) {
	var all []telemetry.Pod
	for _, name := range []string{"a", "b", "c"} {
		all = append(all, telemetry.Pod{Name: release + "-" + name, Release: release, Ready: true})
	}
	return all, nil
}

func (pods) Replicas(context.Context, string) (int, error) { return 3, nil }
func (pods) Scale(context.Context, string, int) error      { return errors.New("a plan changes nothing") }
func (pods) Kill(context.Context, string, time.Duration) error {
	return errors.New("a plan changes nothing")
}

// A dry run resolves the targets of every step and changes nothing. It only needs the workloads.
func ExampleRun() {
	sc, err := scenarios.Load("pod-kill")
	if err != nil {
		fmt.Println(err)
		return
	}
	report, err := scenarios.Run(context.Background(), sc, scenarios.Target{Workloads: pods{}}, scenarios.Options{DryRun: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(report.Result)
	for _, step := range report.Steps {
		fmt.Printf("%s: %d of %d pods, %s of the calls\n", step.Name, step.Touches.Pods, step.Touches.OfPods, step.Touches.Share)
	}
	// Output:
	// planned
	// kill one replica: 1 of 3 pods, 33.333333% of the calls
}
