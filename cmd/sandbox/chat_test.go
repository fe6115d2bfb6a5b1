package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/grpc-sandbox/sandbox/services/user/userv1"
)

func TestPrinting_EscapesControlCharacters(t *testing.T) {
	m := &userv1.ChatMessage{Room: "hall", UserId: "eve", Text: "clear\x1b[2J", Id: 7, Time: timestamppb.Now()}
	for asJSON, want := range map[bool][]string{false: {"  eve  clear\uFFFD[2J\n"}, true: {`"eve"`, `"7"`, `\u001b`}} {
		var out strings.Builder
		if err := printing(&out, asJSON)(m); err != nil {
			t.Fatal(err)
		}
		for _, part := range want {
			if !strings.Contains(out.String(), part) || strings.Contains(out.String(), "\x1b") || strings.Count(out.String(), "\n") != 1 {
				t.Errorf("as JSON %v: printed %q, want %q", asJSON, out.String(), part)
			}
		}
	}
}

func TestNewKeys_AreUnique(t *testing.T) {
	mine, yours := newKeys(), newKeys()
	first := mine(1)
	if first == yours(1) || first == mine(2) || first != mine(1) || !strings.HasSuffix(mine(1), fmt.Sprint("-", 1)) {
		t.Errorf("%s %s %s", mine(1), mine(2), yours(1))
	}
}

func TestTyped_SkipsEmptyLines(t *testing.T) {
	var got []string
	for line := range typed(t.Context(), strings.NewReader("one\n\n two \nthree\nfour")) {
		got = append(got, line)
	}
	if want := []string{"one", "two", "three", "four"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
