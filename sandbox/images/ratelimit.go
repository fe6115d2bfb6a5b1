package images

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/grpc-sandbox/sandbox/internal/pause"
	"github.com/grpc-sandbox/sandbox/internal/remedy"
)

const (
	// rateLimitTries is the number of requests after which the registry's refusal is final.
	rateLimitTries = 3
	// rateLimitPause is the pause if the registry does not say how long to wait.
	rateLimitPause = 5 * time.Second
	// rateLimitLongest is the longest pause. Whether to wait longer is the user's decision.
	rateLimitLongest = 2 * time.Minute
)

// RateLimitError reports that a registry limits how often this machine, or this account, may pull.
type RateLimitError struct {
	// Registry is the host of the registry.
	Registry string
	// After is the time until the registry accepts requests again. It is 0 if the registry does not say.
	After time.Duration
}

// Error names the registry and, if the registry has stated it, for how long it refuses requests.
func (e *RateLimitError) Error() string {
	if e.After == 0 {
		return fmt.Sprintf("%s limits how often images may be pulled (HTTP 429)", e.Registry)
	}
	return fmt.Sprintf("%s limits how often images may be pulled (HTTP 429) for another %s", e.Registry, e.After)
}

// Remedies returns an account, which has a higher limit, and the other sources of an image.
func (e *RateLimitError) Remedies() []remedy.Remedy {
	return []remedy.Remedy{
		remedy.Shell("docker", "login", e.Registry).If("you have an account there; podman login works as well"),
		remedy.Flag("images", "source").If("a build from source, of up to 15 minutes an image, is acceptable"),
		remedy.Flag("bundle", "FILE").If("another machine has the images: sandbox images save FILE"),
	}
}

// rateLimitTransport waits for as long as a registry that limits requests demands, and repeats the request.
type rateLimitTransport struct {
	next http.RoundTripper
	// waiting may be nil.
	waiting func(registry string, wait time.Duration)
}

func (p rateLimitTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	for try := 1; ; try++ {
		resp, err := p.next.RoundTrip(req)
		if err != nil || resp.StatusCode != http.StatusTooManyRequests {
			return resp, err
		}
		_ = resp.Body.Close()
		demanded := retryAfter(resp.Header.Get("Retry-After"), time.Now())
		wait := demanded
		if wait == 0 {
			wait = rateLimitPause
		}
		if try == rateLimitTries || wait > rateLimitLongest || req.Body != nil {
			return nil, &RateLimitError{Registry: req.URL.Host, After: demanded}
		}
		if p.waiting != nil {
			p.waiting(req.URL.Host, wait)
		}
		if err := pause.For(req.Context(), wait); err != nil {
			return nil, err
		}
	}
}

// retryAfter reads a Retry-After header: seconds, or a date. It returns 0 if there is none or it cannot be read.
func retryAfter(text string, now time.Time) time.Duration {
	if seconds, err := strconv.Atoi(text); err == nil {
		return time.Duration(max(0, seconds)) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, at.Sub(now)).Round(time.Second)
	}
	return 0
}
