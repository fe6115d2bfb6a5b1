package refusal

import (
	"cmp"
	"encoding/base64"
	"slices"
	"strings"
	"unicode/utf8"

	"google.golang.org/genproto/googleapis/rpc/status"
	grpcstatus "google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// Shorten returns err with a status that takes at most this many bytes in the trailer of the call, so that it fits into what a peer accepts. An
// answer that does not fit arrives as INTERNAL: its code and its details are lost. Most errors are returned as they are. Otherwise the message is
// cut after a quarter of the bytes, the small details are kept first, and of the details that do not fit, the first elements of their lists.
func Shorten(err error, bytes int) error {
	if err == nil {
		return nil
	}
	st, ok := grpcstatus.FromError(err)
	if !ok {
		st = grpcstatus.FromContextError(err)
	}
	whole := st.Proto()
	if encodedSize(whole) <= bytes {
		return err
	}
	short := &status.Status{Code: whole.GetCode(), Message: shortMessage(strings.ToValidUTF8(whole.GetMessage(), "\uFFFD"), bytes/4)}
	bySize := slices.Clone(whole.GetDetails())
	slices.SortStableFunc(bySize, func(a, b *anypb.Any) int { return cmp.Compare(len(a.GetValue()), len(b.GetValue())) })
	kept := map[*anypb.Any]*anypb.Any{}
	for _, detail := range bySize {
		free := base64.RawStdEncoding.DecodedLen(bytes-messageSize(short.GetMessage())) - proto.Size(short)
		if fits := shortDetail(detail, free-overhead-len(detail.GetTypeUrl())); fits != nil {
			kept[detail] = fits
			short.Details = append(short.Details, fits)
		}
	}
	// The details keep their order.
	short.Details = nil
	for _, detail := range whole.GetDetails() {
		if fits := kept[detail]; fits != nil {
			short.Details = append(short.Details, fits)
		}
	}
	return grpcstatus.ErrorProto(short)
}

// overhead is more than what the tags and lengths around a detail, or around an element of a list, take.
const overhead = 16

// encodedSize returns the bytes that a status takes: its message with percent encoding, and all of it in base64 if it has details.
func encodedSize(s *status.Status) int {
	bytes := messageSize(s.GetMessage())
	if len(s.GetDetails()) > 0 {
		bytes += base64.RawStdEncoding.EncodedLen(proto.Size(s))
	}
	return bytes
}

func messageSize(message string) (bytes int) {
	for _, r := range message {
		bytes += runeSize(r)
	}
	return bytes
}

// runeSize returns the length of a rune with percent encoding. A byte that is not UTF-8 is sent as U+FFFD.
func runeSize(r rune) int {
	if r >= ' ' && r <= '~' && r != '%' {
		return 1
	}
	return 3 * utf8.RuneLen(r)
}

// shortMessage cuts a message between two runes and adds an ellipsis, if its encoding takes more than that many bytes.
func shortMessage(message string, bytes int) string {
	const ellipsis = '…'
	used, end := 0, -1
	for i, r := range message {
		used += runeSize(r)
		if end < 0 && used > bytes-runeSize(ellipsis) {
			end = i
		}
		if used > bytes {
			return message[:end] + string(ellipsis)
		}
	}
	return message
}

// shortDetail returns a detail of at most that many bytes, with the first elements of its list, or nil if nothing of it fits.
func shortDetail(detail *anypb.Any, bytes int) *anypb.Any {
	if len(detail.GetValue()) <= bytes {
		return detail
	}
	m, err := detail.UnmarshalNew()
	if err != nil {
		return nil
	}
	fields := m.ProtoReflect().Descriptor().Fields()
	for i := range fields.Len() {
		field := fields.Get(i)
		if !field.IsList() || field.Message() == nil {
			continue
		}
		list := m.ProtoReflect().Mutable(field).List()
		n := 0
		for ; n < list.Len(); n++ {
			if bytes -= overhead + proto.Size(list.Get(n).Message().Interface()); bytes < 0 {
				break
			}
		}
		list.Truncate(n)
		if short, err := anypb.New(m); err == nil && n > 0 {
			return short
		}
	}
	return nil
}
