// Package governance gives a gRPC service what it needs to work reliably with others: mutual TLS with rotating certificates, deadlines,
// circuit breakers, ejection of bad replicas, retries and hedging under a budget, bulkheads, rate limits, load shedding, lists of allowed callers,
// fallbacks, injected faults, health and draining, and metrics, traces and logs of all of this.
//
// Most programs call Run with a Config and a function that registers their services. It makes a Process, which has everything that is shared,
// serves until its context ends, and drains. Process.Dial connects to other services. A program that combines the parts itself uses Server
// and Dial, which return a grpc.Server and a grpc.ClientConn with one interceptor each:
//
//	outgoing call                                incoming call
//	     │ deadline, span                             │ span
//	     ▼                                            ▼
//	  Breakers ──open──> Fallback                  callers, deadline, rate, bulkhead, load ──> refusal
//	     │ closed                                     │ admitted
//	     ▼                                            ▼
//	  injected faults                              injected faults
//	     ▼                                            ▼
//	  attempts: retries, hedging                      │
//	     ▼                                            ▼
//	  picker: a replica that works ── network ──>  handler
//
// What is enforced is a policy.Policy, which is data: policy.File reads it from a file and replaces it while calls are running. Both sides report to
// Metrics and Events, and the outcome of a call flows back along the same path. Identity supplies the certificates of both sides.
//
// A refused call has a reason that programs can read: see package refusal and the constants that start with Reason. The README lists the
// environment, the defaults and what happens in each kind of failure.
package governance
