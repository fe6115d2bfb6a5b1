// Package governance is what a gRPC service imports to behave well among others: mutual TLS that rotates, deadlines, a circuit breaker
// per callee and method, recovery, health, draining, and metrics, traces and logs of all of it.
//
// Run is the whole of it for a program; Server and Dial are its parts for one that wants to compose them itself.
package governance
