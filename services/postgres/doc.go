// Package postgres connects a service to its database, and runs the programs of such services.
//
// DB is a bounded connection pool over mutual TLS that picks up rotated certificates, runs migrations under a lock, and reports whether the
// database can be reached. Status converts database errors to gRPC errors that a caller can act on. Main and Program are the main function
// that the services of the shop share.
package postgres
