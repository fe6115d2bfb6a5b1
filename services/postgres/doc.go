// Package postgres is how a service keeps its state in PostgreSQL: a bounded pool over mutual TLS that rotates, migrations under a lock,
// readiness, and errors that a gRPC caller understands.
package postgres
