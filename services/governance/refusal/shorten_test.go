package refusal

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
)

func violations(n int) (list []*errdetails.BadRequest_FieldViolation) {
	for i := range n {
		list = append(list, &errdetails.BadRequest_FieldViolation{Field: fmt.Sprintf("lines[%d].quantity", i), Description: "value must be greater than 0"})
	}
	return list
}

func TestShorten_StaysWithinTheLimit(t *testing.T) {
	const most = 6 << 10
	large := &errdetails.DebugInfo{Detail: strings.Repeat("d", 10000)}
	help := &errdetails.Help{}
	for range 1000 {
		help.Links = append(help.Links, &errdetails.Help_Link{Description: "read the manual"})
	}
	for _, c := range []struct {
		sentence string
		err      error
		code     codes.Code
		message  string
		// The least number of elements in the list of the detail.
		elements int
		reason   string
	}{
		{"a short error stays", New(codes.Unavailable, "AWAY", "away"), codes.Unavailable, "away", 0, "AWAY"},
		{"an error without a status stays", errors.New("away"), codes.Unknown, "away", 0, ""},
		{"a context error stays", context.DeadlineExceeded, codes.DeadlineExceeded, "context deadline exceeded", 0, ""},
		{"a long message is cut", status.Error(codes.NotFound, strings.Repeat("m", 7000)), codes.NotFound, strings.Repeat("m", most/4-9) + "…", 0, ""},
		{"a message is cut between two runes", status.Error(codes.NotFound, strings.Repeat("ß", 3000)), codes.NotFound, strings.Repeat("ß", (most/4-9)/6) + "…", 0, ""},
		{"control characters count three times", status.Error(codes.NotFound, strings.Repeat("\x00", 3000)), codes.NotFound, strings.Repeat("\x00", most/12-3) + "…", 0, ""},
		{"bytes that are not UTF-8 are replaced", status.Error(codes.NotFound, strings.Repeat("\xff", 3000)), codes.NotFound, "�", 0, ""},
		{"the first violations are kept", Fields(violations(300)...), codes.InvalidArgument, "lines[0].quantity: value must be greater than 0", 40, ""},
		{"a few violations stay", Fields(violations(40)...), codes.InvalidArgument, "lines[0].quantity: value must be greater than 0", 40, ""},
		{"a very long list is cut too", Fields(violations(100000)...), codes.InvalidArgument, "lines[0].quantity: value must be greater than 0", 40, ""},
		{"a violation that does not fit is dropped", Field(strings.Repeat("f", 9000), "bad"), codes.InvalidArgument, strings.Repeat("f", most/4-9) + "…", 0, ""},
		{"links are cut in the same way", New(codes.Aborted, "LOST", "lost", help), codes.Aborted, "lost", 40, "LOST"},
		{"small details are kept before a large one", detailed(codes.Aborted, "lost", large, &errdetails.ErrorInfo{Reason: "LOST", Domain: Domain}), codes.Aborted, "lost", 0, "LOST"},
		{"a long message leaves space for a reason", New(codes.Aborted, "LOST", strings.Repeat("m", 9000)), codes.Aborted, strings.Repeat("m", most/4-9) + "…", 0, "LOST"},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			short := Shorten(c.err, most)
			st, ok := status.FromError(short)
			if !ok {
				st = status.FromContextError(short)
			}
			if st.Code() != c.code || st.Message() != c.message || Reason(short) != c.reason {
				t.Errorf("got %v (reason %q)", st, Reason(short))
			}
			if size := encodedSize(st.Proto()); size > most || !utf8.ValidString(st.Message()) {
				t.Errorf("the status takes %d bytes", size)
			}
			var elements int
			for _, d := range st.Details() {
				switch d := d.(type) {
				case *errdetails.BadRequest:
					elements = len(d.GetFieldViolations())
					if d.GetFieldViolations()[0].GetField() != "lines[0].quantity" {
						t.Errorf("the first violation is of %s", d.GetFieldViolations()[0].GetField())
					}
				case *errdetails.Help:
					elements = len(d.GetLinks())
				}
			}
			if elements < c.elements || (elements == 0) != (c.elements == 0) {
				t.Errorf("%d elements, want at least %d", elements, c.elements)
			}
		})
	}
	if Shorten(nil, most) != nil {
		t.Error("no error became one")
	}
	if local := Local(New(codes.Unavailable, "AWAY", "away")); !IsLocal(Shorten(local, most)) {
		t.Error("a short error was replaced")
	}
}

func TestShorten_DetailsKeepTheirOrder(t *testing.T) {
	all := []protoadapt.MessageV1{&errdetails.BadRequest{FieldViolations: violations(300)}, &errdetails.ErrorInfo{Reason: "R", Domain: Domain}, After(1)}
	got := status.Convert(Shorten(detailed(codes.Aborted, "lost", all...), 1024)).Details()
	if len(got) != len(all) {
		t.Fatalf("%d details", len(got))
	}
	for i := range all {
		if fmt.Sprintf("%T", got[i]) != fmt.Sprintf("%T", all[i]) {
			t.Errorf("detail %d is a %T", i, got[i])
		}
	}
}
