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

// The reasons in the ErrorInfo of a refusal.
const (
	ReasonAway     = "DATABASE_AWAY"
	ReasonPoolFull = "DATABASE_POOL_FULL"
	ReasonReadOnly = "DATABASE_READ_ONLY"
)

// Status turns what went wrong at the database into what a caller may know. An error that has a gRPC status keeps it.
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
		return away()
	case errors.Is(err, context.Canceled):
		return status.Error(codes.Canceled, "the caller gave up")
	case errors.Is(err, context.DeadlineExceeded):
		return status.Error(codes.DeadlineExceeded, "the deadline passed during work at the database")
	case errors.As(err, &refused):
		return answered(refused)
	case errors.Is(err, pgx.ErrNoRows), errors.Is(err, pgx.ErrTooManyRows), isScan(err):
		return status.Error(codes.Internal, "the database gave an unexpected answer")
	}
	return away() // all else is a connection that broke or could not be made
}

func isScan(err error) bool {
	var scan pgx.ScanArgError
	return errors.As(err, &scan)
}

func away() error {
	return refusal.New(codes.Unavailable, ReasonAway, "the database is away; try again", refusal.After(time.Second))
}

// SQLSTATEs of PostgreSQL, from its appendix A.
const (
	queryCanceled        = "57014"
	readOnlyTransaction  = "25006"
	idleInTransaction    = "25P03"
	transactionTimeout   = "25P04"
	notInRepertoire      = "22021" // bytes that are no character of the database's encoding
	untranslatable       = "22P05" // a character that the encoding, or jsonb, lacks
	serializationFailure = "40001"
	deadlockDetected     = "40P01"
	completionUnknown    = "40003"
	notInRightState      = "55000" // for instance during recovery
	invalidStatementName = "26000" // a statement that another server prepared
	duplicateRow         = "23505"
	classConnection      = "08"
	classAuthorization   = "28"
	classResources       = "53"
	classIntervention    = "57P" // 57P01 to 57P05: shut down, starting up, dropped
	classSystem          = "58"
)

// answered reads the code of a statement that PostgreSQL refused.
func answered(e *pgconn.PgError) error {
	switch {
	case e.Code == queryCanceled:
		return status.Error(codes.DeadlineExceeded, "a statement took too long")
	case lost(e):
		return status.Error(codes.Aborted, "another transaction came first; try again")
	case e.Code == readOnlyTransaction:
		return refusal.New(codes.Unavailable, ReasonReadOnly, "the database is read-only, for instance during a failover; try again", refusal.After(time.Second))
	case transient(e):
		return away()
	case e.Code == notInRepertoire || e.Code == untranslatable:
		return status.Error(codes.InvalidArgument, "the request has text that the database cannot store")
	}
	return status.Errorf(codes.Internal, "the database refused a statement (SQLSTATE %s)", e.Code)
}

// transient says that the server is not fit for work now: it shuts down, starts, fails over, or is out of resources. Another server, or this one
// later, may do the same work.
func transient(e *pgconn.PgError) bool {
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

// failedOver says that a connection leads to a server that takes no writes: after a failover its address may lead to another one.
func failedOver(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && e.Code == readOnlyTransaction
}

// lost says that a transaction lost against another one, and may win if run again.
func lost(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && (e.Code == serializationFailure || e.Code == deadlockDetected)
}

// IsDuplicate says that a row breaks the named unique constraint.
func IsDuplicate(err error, constraint string) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && e.Code == duplicateRow && e.ConstraintName == constraint
}
