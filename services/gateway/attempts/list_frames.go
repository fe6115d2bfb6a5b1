package attempts

import (
	"context"
	"encoding/binary"
	"fmt"
	"strings"

	"golang.org/x/net/http2"
)

// connections are frames that end the connection.
func connections() (all []Attempt) {
	const protocol = "goaway PROTOCOL_ERROR"
	for _, row := range []struct {
		name, want string
		write      func(*session) error
	}{
		{"HEADERS on stream 0", protocol, func(s *session) error { return s.open(0, true, restFields(s.target, "GET", s.target.Get)...) }},
		{"even stream id", protocol, func(s *session) error { return s.open(2, true, restFields(s.target, "GET", s.target.Get)...) }},
		{"stream id that is lower than the last", protocol, func(s *session) error {
			if err := s.open(5, false, grpcFields(s.target, s.target.Stream)...); err != nil {
				return err
			}
			return s.open(3, true, restFields(s.target, "GET", s.target.Get)...)
		}},
		{"DATA on stream 0", protocol, func(s *session) error { return s.framer.WriteData(0, true, []byte("a")) }},
		{"CONTINUATION without HEADERS", protocol, func(s *session) error { return s.framer.WriteContinuation(1, true, []byte{0x82}) }},
		{"another frame between HEADERS and CONTINUATION", protocol, func(s *session) error {
			if err := s.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte{0x82}, EndStream: true}); err != nil {
				return err
			}
			return s.framer.WritePing(false, [8]byte{})
		}},
		{"PUSH_PROMISE from a client", protocol, func(s *session) error {
			return s.framer.WritePushPromise(http2.PushPromiseParam{StreamID: 1, PromiseID: 2, BlockFragment: []byte{0x82}, EndHeaders: true})
		}},
		{"broken HPACK index", "goaway COMPRESSION_ERROR", func(s *session) error { return s.raw(1, true, []byte{0xff, 0xff, 0xff, 0xff, 0x0f}) }},
		{"broken HPACK Huffman code", "goaway COMPRESSION_ERROR", func(s *session) error { return s.raw(1, true, []byte{0x00, 0x84, 0xff, 0xff, 0xff, 0xff, 0x01, 'a'}) }},
		{"SETTINGS on a stream", protocol, func(s *session) error { return s.framer.WriteRawFrame(http2.FrameSettings, 0, 1, nil) }},
		{"SETTINGS with a window beyond 31 bits", "goaway FLOW_CONTROL_ERROR", setting(http2.SettingInitialWindowSize, 1<<31)},
		{"SETTINGS with a frame size of 1", protocol, setting(http2.SettingMaxFrameSize, 1)},
		{"SETTINGS of five bytes", "goaway FRAME_SIZE_ERROR", func(s *session) error { return s.framer.WriteRawFrame(http2.FrameSettings, 0, 0, make([]byte, 5)) }},
		{"PING of seven bytes", "goaway FRAME_SIZE_ERROR", func(s *session) error { return s.framer.WriteRawFrame(http2.FramePing, 0, 0, make([]byte, 7)) }},
		{"WINDOW_UPDATE of 0 for the connection", protocol, func(s *session) error { return s.framer.WriteRawFrame(http2.FrameWindowUpdate, 0, 0, make([]byte, 4)) }},
		{"WINDOW_UPDATE beyond 31 bits", "goaway FLOW_CONTROL_ERROR", func(s *session) error {
			return s.framer.WriteRawFrame(http2.FrameWindowUpdate, 0, 0, binary.BigEndian.AppendUint32(nil, 1<<31-1))
		}},
		{"PRIORITY of four bytes", "goaway FRAME_SIZE_ERROR", func(s *session) error { return s.framer.WriteRawFrame(http2.FramePriority, 0, 1, make([]byte, 4)) }},
		{"padding longer than the frame", protocol, func(s *session) error {
			return s.framer.WriteRawFrame(http2.FrameHeaders, http2.FlagHeadersPadded|http2.FlagHeadersEndHeaders, 1, []byte{200, 0x82})
		}},
	} {
		all = append(all, Attempt{Name: row.name, Certificate: Valid, Want: row.want, do: over2(0, row.write)})
	}
	return append(all, Attempt{Name: "garbage instead of the preface of HTTP/2", Certificate: Valid, Want: protocol, do: bare2(0, func(s *session) error {
		_, err := s.conn.Write([]byte(strings.Repeat("garbage ", 8)))
		return err
	})})
}

func setting(id http2.SettingID, value uint32) func(*session) error {
	return func(s *session) error { return s.framer.WriteSettings(http2.Setting{ID: id, Val: value}) }
}

// streams are frames of one stream. nginx ends the connection for some errors for which the protocol ends the stream, as it may.
func streams() (all []Attempt) {
	const protocol = "goaway PROTOCOL_ERROR"
	ok, bad := okGRPC, refusedREST("400", "INVALID_ARGUMENT", "BAD_REQUEST")
	for _, row := range []struct {
		name, want string
		write      func(*session) error
	}{
		{"WINDOW_UPDATE of 0 for a stream", protocol, opened(func(s *session) error { return s.framer.WriteRawFrame(http2.FrameWindowUpdate, 0, 1, make([]byte, 4)) })},
		{"stream that depends on itself in HEADERS", protocol, func(s *session) error {
			return s.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: s.encode(restFields(s.target, "GET", s.target.Get)...), EndHeaders: true, EndStream: true,
				Priority: http2.PriorityParam{StreamDep: 1}})
		}},
		{"stream that depends on itself in PRIORITY", protocol, opened(func(s *session) error { return s.framer.WritePriority(1, http2.PriorityParam{StreamDep: 1}) })},
		{"DATA after the end of a stream", "rst STREAM_CLOSED", func(s *session) error {
			if err := s.open(1, true, grpcFields(s.target, s.target.Stream)...); err != nil {
				return err
			}
			return s.framer.WriteData(1, true, []byte("a"))
		}},
		{"DATA on an idle stream, which nginx ignores, then a call", ok, func(s *session) error {
			if err := s.framer.WriteData(3, true, []byte("a")); err != nil {
				return err
			}
			return unary(s)
		}},
		{"RST_STREAM on an idle stream, which nginx ignores, then a call", ok, func(s *session) error {
			if err := s.framer.WriteRSTStream(3, http2.ErrCodeCancel); err != nil {
				return err
			}
			return unary(s)
		}},
		{"more DATA than Content-Length", bad, length("2", "{}}}")},
		{"less DATA than Content-Length", bad, length("20", "{}")},
	} {
		all = append(all, Attempt{Name: row.name, Certificate: Valid, Want: row.want, do: over2(1, row.write)})
	}
	return all
}

// opened writes a frame on an open stream.
func opened(write func(*session) error) func(*session) error {
	return func(s *session) error {
		if err := s.open(1, false, grpcFields(s.target, s.target.Stream)...); err != nil {
			return err
		}
		return write(s)
	}
}

// length sends a body with a length that differs from its own.
func length(declared, body string) func(*session) error {
	return func(s *session) error {
		return s.call(1, []byte(body), restFields(s.target, "POST", s.target.Post, field{"content-type", "application/json"}, field{"content-length", declared}))
	}
}

// headers are headers of HTTP/2 that are not allowed.
func headers() (all []Attempt) {
	const reset = "rst PROTOCOL_ERROR"
	bad := refusedREST("400", "INVALID_ARGUMENT", "BAD_REQUEST")
	for _, row := range []struct {
		name, want string
		edit       func([]field) []field
	}{
		{"header name in upper case", reset, more(field{"X-Upper", "a"})},
		{"header value with a line feed", reset, more(field{"x-feed", "a\nx-partner: globex"})},
		{"header value with a zero byte", reset, more(field{"x-zero", "a\x00b"})},
		{"header name with a colon", reset, more(field{"x:y", "a"})},
		{"empty header name", "goaway PROTOCOL_ERROR", more(field{"", "a"})},
		{"transfer-encoding", bad, more(field{"transfer-encoding", "chunked"})},
		{"connection", bad, more(field{"connection", "close"})},
		{"te other than trailers", bad, more(field{"te", "gzip"})},
		{"missing :path", bad, without(":path")},
		{"missing :method", bad, without(":method")},
		{"missing :scheme", bad, without(":scheme")},
		{"missing :authority", bad, without(":authority")},
		{"empty :path", bad, changed(":path", "")},
		{"relative :path", bad, changed(":path", "v1/users")},
		{":path with a space", bad, changed(":path", "/v1/users/a b HTTP/1.1")},
		{":method with a space", bad, changed(":method", "GET / HTTP/1.1")},
		{":authority with a slash", bad, changed(":authority", "a/b")},
		{"host that differs from :authority", bad, more(field{"host", "example.com"})},
		{"duplicate :path", bad, func(all []field) []field { return append([]field{{":path", "/other"}}, all...) }},
		{"pseudo-header after a header, which nginx accepts and does not pass on", okREST, func(all []field) []field { return append(all[1:], all[0]) }},
		{"unknown pseudo-header", bad, func(all []field) []field { return append([]field{{":partner", "globex"}}, all...) }},
		{"pseudo-header of answers", bad, func(all []field) []field { return append([]field{{":status", "200"}}, all...) }},
	} {
		all = append(all, Attempt{Name: row.name + ", HTTP/2", Certificate: Valid, Want: row.want, do: over2(1, func(s *session) error {
			return s.open(1, true, row.edit(restFields(s.target, "GET", s.target.Get))...)
		})})
	}
	return all
}

func more(added field) func([]field) []field {
	return func(all []field) []field { return append(all, added) }
}

func without(name string) func([]field) []field {
	return func(all []field) (kept []field) {
		for _, f := range all {
			if f.name != name {
				kept = append(kept, f)
			}
		}
		return kept
	}
}

func changed(name, value string) func([]field) []field {
	return func(all []field) (out []field) {
		for _, f := range all {
			if f.name == name {
				f.value = value
			}
			out = append(out, f)
		}
		return out
	}
}

// floods are many streams over one connection.
func floods() []Attempt {
	return []Attempt{
		{Name: "300 streams at a time, of which 256 are allowed", Certificate: Valid, Want: "rst REFUSED_STREAM", do: over2(599, func(s *session) error {
			for i := range uint32(300) {
				if err := s.open(2*i+1, false, grpcFields(s.target, s.target.Stream)...); err != nil {
					return err
				}
			}
			return nil
		})},
		{Name: "1000 streams that are reset at once, then a call of another partner", Certificate: Other, Want: okGRPC, do: resetFlood},
	}
}

// resetFlood opens and resets streams as one partner, and then calls as the other one.
func resetFlood(ctx context.Context, t Target, other Kind) (Outcome, error) {
	const last = 2001
	out, err := over2(last, func(s *session) error {
		for i := range uint32(1000) {
			if err := s.open(2*i+1, false, grpcFields(s.target, s.target.Unary)...); err != nil {
				return err
			}
			if err := s.framer.WriteRSTStream(2*i+1, http2.ErrCodeCancel); err != nil {
				return err
			}
		}
		return s.call(last, message(s.target.Request), grpcFields(s.target, s.target.Unary))
	})(ctx, t, Valid)
	if err != nil {
		return out, fmt.Errorf("resetting streams: %w", err)
	}
	return grpcCall()(ctx, t, other)
}
