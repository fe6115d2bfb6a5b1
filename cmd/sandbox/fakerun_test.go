package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/grpc-sandbox/sandbox/sandbox"
	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
	"github.com/grpc-sandbox/sandbox/scenarios"
)

// fakeRun is `sandbox run` of a scenario that scales UserService to 0 for FAKE_HOLD, or for a second, in a fake cluster whose replicas are in the
// file FAKE_CLUSTER. Signals, outputs, lock, journal, report and exit code are those of the real program.
func fakeRun() {
	os.Exit(withSignals(func(ctx context.Context, _ <-chan struct{}) int {
		proc := process{stdin: os.Stdin, stdout: output(os.Stdout), stderr: output(os.Stderr), getenv: os.Getenv, getuid: os.Getuid}
		return exitCode(ctx, proc, newRoot(proc), fakeRunIn(ctx, proc))
	}))
}

const fakeScenario = `apiVersion: sandbox.dev/v1alpha1
kind: Scenario
metadata: {name: fake}
spec:
  load:
    - {name: browse, from: loadgen, call: {service: userservice, method: user.v1.UserService/GetUser, request: {userId: u-1}}, rate: 200/s}
  steady: {for: 300ms, expect: [{availability: {of: browse, atLeast: 99%}}]}
  steps:
    - {name: take it down, scale: {release: userservice, replicas: 0}}
    - {name: hold, wait: {for: 1s}}
  expect: [{availability: {of: browse, atLeast: 99%}}]
`

func fakeRunIn(ctx context.Context, proc process) error {
	folders, err := proc.folders()
	if err != nil {
		return err
	}
	unlock, err := sandbox.Lock(folders, sandbox.DefaultName, "run fake")
	if err != nil {
		return err
	}
	defer unlock()
	text := fakeScenario
	if hold := os.Getenv("FAKE_HOLD"); hold != "" {
		text = strings.Replace(text, "for: 1s", "for: "+hold, 1)
	}
	scenario, err := scenarios.Parse("fake.yaml", []byte(text))
	if err != nil {
		return err
	}
	fake := &fakeTarget{file: os.Getenv("FAKE_CLUSTER"), started: map[string]time.Time{}}
	return job{proc: proc, g: &globals{name: sandbox.DefaultName}, scenario: scenario, folders: folders, target: fake.target()}.conduct(ctx)
}

// fakeTarget is a scenarios.Target whose loads succeed, no matter how many pods there are.
type fakeTarget struct {
	file string

	mu      sync.Mutex
	started map[string]time.Time
}

func (f *fakeTarget) target() scenarios.Target {
	return scenarios.Target{Loads: f, Workloads: f, Breakers: f}
}

func (f *fakeTarget) Start(_ context.Context, l scenarios.LoadSpec) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.started[l.Name] = time.Now()
	return nil
}

func (f *fakeTarget) SetRate(context.Context, string, scenarios.Rate) error { return nil }

func (f *fakeTarget) Read(_ context.Context, name string) (scenarios.LoadReading, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	started, ok := f.started[name]
	if !ok {
		return scenarios.LoadReading{}, scenarios.ErrNoLoad
	}
	n := int64(time.Since(started).Seconds() * 200)
	return scenarios.LoadReading{At: time.Now(), Rate: 200, Intended: n, Sent: n, OK: n, Errors: map[string]int64{}}, nil
}

func (f *fakeTarget) Stop(ctx context.Context, name string) (scenarios.LoadReading, error) {
	last, err := f.Read(ctx, name)
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.started, name)
	return last, err
}

func (f *fakeTarget) Pods(ctx context.Context, release string) ([]telemetry.Pod, error) {
	n, err := f.Replicas(ctx, release)
	var pods []telemetry.Pod
	for i := range n {
		pods = append(pods, telemetry.Pod{Name: fmt.Sprintf("%s-%d", release, i), Release: release, Ready: true})
	}
	return pods, err
}

func (f *fakeTarget) Kill(context.Context, string, time.Duration) error { return nil }

func (f *fakeTarget) Replicas(context.Context, string) (int, error) {
	data, err := os.ReadFile(f.file)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(data)))
}

func (f *fakeTarget) Scale(_ context.Context, _ string, n int) error {
	// The process may be killed at any moment, so the file is replaced as a whole.
	if err := os.WriteFile(f.file+".next", []byte(strconv.Itoa(n)), 0o600); err != nil {
		return err
	}
	return os.Rename(f.file+".next", f.file)
}

func (f *fakeTarget) Breakers(context.Context) ([]telemetry.Breaker, error) { return nil, nil }

func (f *fakeTarget) Events(context.Context, time.Time, uint64) (<-chan scenarios.BreakerChange, error) {
	return make(chan scenarios.BreakerChange), nil
}
