package images

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// stallTimeout is how long a download may receive no data. The process that waits for it holds the lock of the image cache.
const stallTimeout = 30 * time.Second

var errStalled = errors.New("the registry stopped sending")

// stallTransport cancels every response whose body receives no data for limit, and reports it to stalled.
type stallTransport struct {
	next    http.RoundTripper
	limit   time.Duration
	stalled func()
}

func (i stallTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(req.Context())
	resp, err := i.next.RoundTrip(req.WithContext(ctx))
	if err != nil {
		cancel()
		return nil, err
	}
	resp.Body = &impatientBody{ReadCloser: resp.Body, cancel: cancel, transport: i}
	return resp, nil
}

type impatientBody struct {
	io.ReadCloser
	// cancel cancels the request, which ends a blocked Read.
	cancel    context.CancelFunc
	transport stallTransport
	// late is true if cancel was called during a Read.
	late bool
}

func (b *impatientBody) Read(p []byte) (int, error) {
	limit := time.AfterFunc(b.transport.limit, b.cancel)
	n, err := b.ReadCloser.Read(p)
	b.late = b.late || !limit.Stop()
	if b.late && err != nil && !errors.Is(err, io.EOF) {
		b.transport.stalled()
		return n, fmt.Errorf("%w: no data for %s", errStalled, b.transport.limit)
	}
	return n, err
}

func (b *impatientBody) Close() error {
	b.cancel()
	return b.ReadCloser.Close()
}
