package attempts

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"net"
	"net/http"
	"strconv"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// session is a connection of HTTP/2. One goroutine writes and one reads.
type session struct {
	conn   net.Conn
	framer *http2.Framer
	target Target
	// credit receives what the gateway accepts in addition to the initial window of the stream.
	credit chan int
	// done is closed when the outcome is known.
	done  chan struct{}
	block bytes.Buffer
	hpack *hpack.Encoder
}

// field is a header.
type field struct{ name, value string }

// initialWindow is how many bytes a stream may send before the gateway has accepted more.
const initialWindow = 65535

// over2 opens a connection of HTTP/2, writes to it, and returns the outcome of a stream or else of the connection.
func over2(stream uint32, write func(*session) error, edits ...func(*tls.Config)) func(context.Context, Target, Kind) (Outcome, error) {
	return func(ctx context.Context, t Target, kind Kind) (Outcome, error) {
		return bare2(stream, func(s *session) error {
			if err := s.start(); err != nil {
				return err
			}
			return write(s)
		}, edits...)(ctx, t, kind)
	}
}

// bare2 is over2 without the start of the connection.
func bare2(stream uint32, write func(*session) error, edits ...func(*tls.Config)) func(context.Context, Target, Kind) (Outcome, error) {
	return func(ctx context.Context, t Target, kind Kind) (Outcome, error) {
		conn, err := dial(ctx, t, kind, []string{"h2"}, edits...)
		if err != nil {
			return failed(err)
		}
		s := &session{conn: conn, framer: http2.NewFramer(conn, conn), target: t, credit: make(chan int, 10000), done: make(chan struct{})}
		s.framer.AllowIllegalWrites = true
		s.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
		s.hpack = hpack.NewEncoder(&s.block)
		written := make(chan struct{})
		go func() {
			defer close(written)
			// If it fails, the gateway has closed the connection, and what it has said before is read below.
			_ = write(s)
		}()
		out, err := s.read(stream)
		close(s.done)
		_ = conn.Close()
		<-written
		return out, err
	}
}

func (s *session) start() error {
	if _, err := s.conn.Write([]byte(http2.ClientPreface)); err != nil {
		return err
	}
	return s.framer.WriteSettings()
}

// open starts a stream with its headers.
func (s *session) open(stream uint32, end bool, fields ...field) error {
	return s.raw(stream, end, s.encode(fields...))
}

// encode returns a header block. The names are not changed.
func (s *session) encode(fields ...field) []byte {
	s.block.Reset()
	for _, f := range fields {
		// A buffer does not fail.
		_ = s.hpack.WriteField(hpack.HeaderField{Name: f.name, Value: f.value})
	}
	return bytes.Clone(s.block.Bytes())
}

// raw starts a stream with a header block, in frames of at most 16 KiB.
func (s *session) raw(stream uint32, end bool, block []byte) error {
	const most = 16 << 10
	first := block[:min(most, len(block))]
	block = block[len(first):]
	if err := s.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: first, EndStream: end, EndHeaders: len(block) == 0}); err != nil {
		return err
	}
	for len(block) > 0 {
		next := block[:min(most, len(block))]
		block = block[len(next):]
		if err := s.framer.WriteContinuation(stream, len(block) == 0, next); err != nil {
			return err
		}
	}
	return nil
}

// call sends a whole call.
func (s *session) call(stream uint32, message []byte, fields []field) error {
	if err := s.open(stream, false, fields...); err != nil {
		return err
	}
	return s.send(stream, message)
}

// send sends the rest of a stream, as fast as the gateway accepts it.
func (s *session) send(stream uint32, data []byte) error {
	window := initialWindow
	for {
		for window == 0 {
			select {
			case n := <-s.credit:
				window += n
			case <-s.done:
				return nil
			}
		}
		chunk := data[:min(len(data), window, 16<<10)]
		data, window = data[len(chunk):], window-len(chunk)
		if err := s.framer.WriteData(stream, len(data) == 0, chunk); err != nil || len(data) == 0 {
			return err
		}
	}
}

// read reads until the outcome of a stream, or of the connection, is known.
func (s *session) read(stream uint32) (Outcome, error) {
	a := answer{header: http.Header{}}
	for {
		f, err := s.framer.ReadFrame()
		if err != nil {
			return failed(err)
		}
		if g, ok := f.(*http2.GoAwayFrame); ok && g.ErrCode != http2.ErrCodeNo {
			return Outcome{Text: "goaway " + g.ErrCode.String()}, nil
		}
		if stream == 0 || f.Header().StreamID != stream {
			continue
		}
		end := false
		switch f := f.(type) {
		case *http2.WindowUpdateFrame:
			s.credit <- int(f.Increment)
		case *http2.RSTStreamFrame:
			return Outcome{Text: "rst " + f.ErrCode.String()}, nil
		case *http2.DataFrame:
			a.body, end = append(a.body, f.Data()...), f.StreamEnded()
		case *http2.MetaHeadersFrame:
			end = f.StreamEnded()
			for _, h := range f.Fields {
				if h.Name == ":status" {
					if a.status, err = strconv.Atoi(h.Value); err != nil {
						return Outcome{}, fmt.Errorf("reading the status: %w", err)
					}
					continue
				}
				a.header.Add(h.Name, h.Value)
			}
		}
		if end {
			return a.outcome(), nil
		}
	}
}

// message returns a message of gRPC.
func message(data []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(data))), data...) //nolint:gosec // a few MiB
}

// grpcFields are the headers of a call.
func grpcFields(t Target, method string, more ...field) []field {
	return append([]field{{":method", "POST"}, {":scheme", "https"}, {":path", "/" + method}, {":authority", t.ServerName}, {"content-type", "application/grpc"},
		{"te", "trailers"}, {"x-request-id", newID()}}, more...)
}

// restFields are the headers of a request of REST.
func restFields(t Target, verb, path string, more ...field) []field {
	return append([]field{{":method", verb}, {":scheme", "https"}, {":path", path}, {":authority", t.ServerName}, {"x-request-id", newID()}}, more...)
}

// unary makes a valid call of the unary method.
func unary(s *session) error {
	return s.call(1, message(s.target.Request), grpcFields(s.target, s.target.Unary))
}

func tls12(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }

// grpcCall makes a valid call of the unary method, with more headers.
func grpcCall(more ...field) func(context.Context, Target, Kind) (Outcome, error) {
	return over2(1, func(s *session) error {
		return s.call(1, message(s.target.Request), grpcFields(s.target, s.target.Unary, more...))
	})
}

// restCall makes a valid request of REST over HTTP/2, with more headers.
func restCall(more ...field) func(context.Context, Target, Kind) (Outcome, error) {
	return over2(1, func(s *session) error { return s.open(1, true, restFields(s.target, "GET", s.target.Get, more...)...) })
}
