package main

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/order/orderv1"
)

// ledger is an OrderService that returns a fixed audit.
type ledger struct {
	orderv1.OrderServiceClient
	answer *orderv1.AuditResponse
	err    error
}

func (l ledger) Audit(context.Context, *orderv1.AuditRequest, ...grpc.CallOption) (*orderv1.AuditResponse, error) {
	return l.answer, l.err
}

func TestAudit_OutputAndExitCode(t *testing.T) {
	agree := &orderv1.AuditResponse{Consistent: true, Confirmed: 3, Cancelled: 2, InFlight: 1, OrderedCents: 700, ChargedCents: 700, Pruned: 4}
	differ := &orderv1.AuditResponse{Violations: []string{"sku-7 has 4 reserved"}, Confirmed: 3, OrderedCents: 700, ChargedCents: 600}
	for _, c := range []struct {
		sentence string
		ledger   ledger
		code     int
		want     string
	}{
		{"all agrees", ledger{answer: agree}, exitDone,
			"orders   3 confirmed, 2 cancelled, 1 in flight; 4 pruned\nmoney    700 cents ordered, 700 charged\norders, stock and payments agree\n"},
		{"a difference", ledger{answer: differ}, exitNotHeld,
			"orders   3 confirmed, 0 cancelled, 0 in flight; 0 pruned\nmoney    700 cents ordered, 600 charged\n  ✗ sku-7 has 4 reserved\n"},
		{"no answer", ledger{err: status.Error(codes.Unavailable, "away")}, exitEnvironment, ""},
	} {
		var text, document strings.Builder
		err := audit(t.Context(), &text, c.ledger, false)
		if code := exitCodeOf(err); code != c.code || text.String() != c.want {
			t.Errorf("%s: exit code %d, %v, printed %q", c.sentence, code, err, text.String())
		}
		if c.ledger.err != nil {
			continue
		}
		_ = audit(t.Context(), &document, c.ledger, true)
		var doc auditDocument
		if err := json.Unmarshal([]byte(document.String()), &doc); err != nil || doc.Consistent != (c.code == exitDone) || doc.Confirmed != 3 || doc.Pruned != c.ledger.answer.GetPruned() || doc.Violations == nil {
			t.Errorf("%s: the document is %s, %v", c.sentence, document.String(), err)
		}
	}
}

func exitCodeOf(err error) int {
	var coded *codedError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &coded):
		return coded.code
	}
	return exitEnvironment
}
