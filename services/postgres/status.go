package postgres

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
)

// Reasons in the ErrorInfo of a refusal.
const (
	ReasonAway     = "DATABASE_AWAY"
	ReasonPoolFull = "DATABASE_POOL_FULL"
	ReasonReadOnly = "DATABASE_READ_ONLY"
)

// Status converts a database error to the gRPC error for a caller. An error that already has a gRPC status keeps it.
func Status(err error) error {
	if err == nil {
		return nil
	}
	var carrier interface{ GRPCStatus() *status.Status }
	var refused *pgconn.PgError
	switch {
	case errors.As(err, &carrier):
		return carrier.GRPCStatus().Err()
	case errors.Is(err, errPoolFull):
		return refusal.New(codes.ResourceExhausted, ReasonPoolFull, "every connection to the database is in use; try again",
			refusal.After(100*time.Millisecond))
	case errors.Is(err, errAway):
		return unavailable()
	case errors.Is(err, context.Canceled):
		return status.Error(codes.Canceled, "the caller gave up")
	case errors.Is(err, context.DeadlineExceeded):
		return status.Error(codes.DeadlineExceeded, "the deadline passed during work at the database")
	case errors.As(err, &refused):
		return statusOf(refused)
	case errors.Is(err, pgx.ErrNoRows), errors.Is(err, pgx.ErrTooManyRows), isScan(err):
		return status.Error(codes.Internal, "the database returned an unexpected result")
	}
	// Everything else is a connection that broke or could not be opened.
	return unavailable()
}

func isScan(err error) bool {
	var scan pgx.ScanArgError
	return errors.As(err, &scan)
}

func unavailable() error {
	return refusal.New(codes.Unavailable, ReasonAway, "the database is unavailable; try again", refusal.After(time.Second))
}

// SQLSTATE codes, from appendix A of the PostgreSQL documentation.
const (
	queryCanceled        = "57014"
	readOnlyTransaction  = "25006"
	idleInTransaction    = "25P03"
	transactionTimeout   = "25P04"
	notInRepertoire      = "22021" // bytes that are invalid in the encoding of the database
	untranslatable       = "22P05" // a character that the encoding, or jsonb, cannot represent
	serializationFailure = "40001"
	deadlockDetected     = "40P01"
	completionUnknown    = "40003"
	notInRightState      = "55000" // for example during recovery
	invalidStatementName = "26000" // a statement that was prepared on another server
	duplicateRow         = "23505"
	classConnection      = "08"
	classAuthorization   = "28"
	classResources       = "53"
	classIntervention    = "57P" // 57P01 to 57P05: shutting down, starting up, dropped
	classSystem          = "58"
)

// statusOf converts an error that PostgreSQL returned for a statement.
func statusOf(e *pgconn.PgError) error {
	switch {
	case e.Code == queryCanceled:
		return status.Error(codes.DeadlineExceeded, "a statement took too long")
	case isConflict(e):
		return status.Error(codes.Aborted, "another transaction came first; try again")
	case e.Code == readOnlyTransaction:
		return refusal.New(codes.Unavailable, ReasonReadOnly, "the database is read-only, for instance during a failover; try again", refusal.After(time.Second))
	case isTransient(e):
		return unavailable()
	case e.Code == notInRepertoire || e.Code == untranslatable:
		return status.Error(codes.InvalidArgument, "the request has text that the database cannot store")
	}
	return status.Errorf(codes.Internal, "the database refused a statement (SQLSTATE %s)", e.Code)
}

// isTransient reports whether the server cannot work at the moment: it is shutting down, starting, failing over, or out of resources. Another
// server, or this one later, may do the same work.
func isTransient(e *pgconn.PgError) bool {
	switch e.Code {
	case readOnlyTransaction, idleInTransaction, transactionTimeout, completionUnknown, notInRightState, invalidStatementName:
		return true
	}
	for _, class := range []string{classConnection, classAuthorization, classResources, classIntervention, classSystem} {
		if strings.HasPrefix(e.Code, class) {
			return true
		}
	}
	return false
}

// isReadOnly reports whether the server refuses writes. After a failover the same address may lead to another server.
func isReadOnly(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && e.Code == readOnlyTransaction
}

// isConflict reports whether a transaction lost a conflict with another one. It may succeed if it is run again.
func isConflict(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && (e.Code == serializationFailure || e.Code == deadlockDetected)
}

// IsDuplicate reports whether err violates the unique constraint of that name.
func IsDuplicate(err error, constraint string) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && e.Code == duplicateRow && e.ConstraintName == constraint
}
