package observe

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/api"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
)

// Prometheus is a client of a Prometheus server.
type Prometheus struct {
	release, base string
	api           v1.API
}

// NewPrometheus returns a client of the server of a release at base, a URL without the /api part. A nil client is http.DefaultClient.
func NewPrometheus(release, base string, client *http.Client) (*Prometheus, error) {
	if client == nil {
		client = http.DefaultClient
	}
	c, err := api.NewClient(api.Config{Address: base, Client: client})
	if err != nil {
		return nil, remedy.Errorf(remedy.Value("http://127.0.0.1:9090"), "reading the address of Prometheus %q: %w", base, err)
	}
	return &Prometheus{release: release, base: base, api: v1.NewAPI(c)}, nil
}

// Value returns the one number that query yields now. The error is ErrNoData if it yields none, or NaN, and wraps telemetry.ErrBadQuery if it never will.
func (p *Prometheus) Value(ctx context.Context, query string) (float64, error) {
	doing := fmt.Sprintf("querying Prometheus for %s", query)
	value, _, _, err := p.api.Query(ctx, query, time.Time{})
	if refused := (*v1.Error)(nil); errors.As(err, &refused) && refused.Type == v1.ErrBadData {
		err = fmt.Errorf("%w: %w", telemetry.ErrBadQuery, err)
	}
	if err != nil {
		return 0, explain(doing, p.release, p.base, err)
	}
	var n float64
	switch v := value.(type) {
	case *model.Scalar:
		n = float64(v.Value)
	case model.Vector:
		switch len(v) {
		case 0:
			return 0, explain(doing, p.release, p.base, ErrNoData)
		case 1:
			n = float64(v[0].Value)
		default:
			return 0, remedy.Errorf(remedy.Advice("sum(…) or another aggregation around the query"),
				"%s: %w: %d series match, but one number is needed", doing, telemetry.ErrBadQuery, len(v))
		}
	default:
		return 0, remedy.Errorf(remedy.Advice("an instant query, without a range at its end"), "%s: %w: it yields a %s, not a number", doing, telemetry.ErrBadQuery, value.Type())
	}
	if math.IsNaN(n) {
		return 0, explain(doing, p.release, p.base, ErrNoData)
	}
	return n, nil
}

// vector returns every series that query yields now. It is not an error if there are none.
func (p *Prometheus) vector(ctx context.Context, doing, query string) (model.Vector, error) {
	value, _, _, err := p.api.Query(ctx, query, time.Time{})
	if err != nil {
		return nil, explain(doing, p.release, p.base, err)
	}
	v, ok := value.(model.Vector)
	if !ok {
		return nil, explain(doing, p.release, p.base, fmt.Errorf("%w: a %s for %s", errMalformed, value.Type(), query))
	}
	return v, nil
}

// TargetsUp counts the scrape targets, and returns those that are down with the error of their last scrape.
func (p *Prometheus) TargetsUp(ctx context.Context) (up, total int, down []string, err error) {
	const doing = "querying Prometheus for its targets"
	targets, err := p.api.Targets(ctx)
	if err != nil {
		return 0, 0, nil, explain(doing, p.release, p.base, err)
	}
	for _, t := range targets.Active {
		total++
		switch t.Health {
		case v1.HealthGood:
			up++
		case v1.HealthBad:
			down = append(down, fmt.Sprintf("%s %s: %s", t.ScrapePool, t.ScrapeURL, t.LastError))
		default:
			down = append(down, fmt.Sprintf("%s %s: not scraped yet", t.ScrapePool, t.ScrapeURL))
		}
	}
	return up, total, down, nil
}
