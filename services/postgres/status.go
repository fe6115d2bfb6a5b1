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

// answered reads the code of a statement that PostgreSQL refused; see its appendix A.
func answered(e *pgconn.PgError) error {
	class := e.Code[:min(2, len(e.Code))]
	switch {
	case e.Code == "57014":
		return status.Error(codes.DeadlineExceeded, "a statement took too long")
	case lost(e):
		return status.Error(codes.Aborted, "another transaction came first; try again")
	case class == "08" || class == "53" || strings.HasPrefix(e.Code, "57P") || class == "28":
		return away()
	}
	return status.Errorf(codes.Internal, "the database refused a statement (SQLSTATE %s)", e.Code)
}

// lost says that a transaction lost against another one, and may win if run again.
func lost(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && (e.Code == "40001" || e.Code == "40P01")
}

// IsDuplicate says that a row breaks the named unique constraint.
func IsDuplicate(err error, constraint string) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && e.Code == "23505" && e.ConstraintName == constraint
}
