package watch

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/grpc-sandbox/sandbox/scenarios/target"
)

// keeping is how far back readings are kept, whole and without latencies.
type keeping struct{ whole, counts time.Duration }

// maxOld is the maximum number of readings without latencies. Readings beyond the windows that need latencies are thinned out.
const maxOld = 1000

// readings are the past readings of one load, the oldest first.
type readings struct{ all []sample }

// sample is a reading whose histograms are encoded. A decoded histogram takes 200 kB, even with few calls.
type sample struct {
	// The histograms of LoadReading are nil.
	target.LoadReading
	latency, failedLatency []byte
	// old is true if the reading is beyond the windows that need latencies.
	old bool
}

func encoded(r target.LoadReading) sample {
	out := sample{LoadReading: r, latency: encode(r.Latency), failedLatency: encode(r.FailedLatency)}
	out.Latency, out.FailedLatency, out.Failures = nil, nil, nil
	return out
}

func encode(h *hdrhistogram.Histogram) []byte {
	if h == nil {
		return nil
	}
	data, err := h.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
	if err != nil {
		return nil
	}
	return data
}

// whole returns the reading with its latencies.
func (r sample) whole() target.LoadReading {
	out := r.LoadReading
	out.Latency, out.FailedLatency = decode(r.latency), decode(r.failedLatency)
	return out
}

func decode(data []byte) *hdrhistogram.Histogram {
	if data == nil {
		return nil
	}
	h, err := hdrhistogram.Decode(data)
	if err != nil {
		return nil
	}
	return h
}

// add appends a reading and drops those that no window needs any more. A reading that is older than the last one is ignored.
func (p *readings) add(r target.LoadReading, keep keeping) {
	if n := len(p.all); n > 0 && !r.At.After(p.all[n-1].At) {
		return
	}
	p.all = append(p.all, encoded(r))
	// One reading from before the window is kept, because the window starts there.
	for len(p.all) > 1 && !p.all[1].At.After(r.At.Add(-keep.counts)) {
		p.all = p.all[1:]
	}
	spacing := keep.counts / maxOld
	old := r.At.Add(-keep.whole)
	for i := len(p.all) - 2; i > 0 && !p.all[i].old; i-- {
		if p.all[i+1].At.After(old) {
			continue
		}
		p.all[i].latency, p.all[i].failedLatency, p.all[i].old = nil, nil, true
		if p.all[i+1].At.Sub(p.all[i-1].At) <= spacing {
			p.all = append(p.all[:i], p.all[i+1:]...)
		}
	}
}

func (p *readings) last() (sample, bool) {
	if p == nil || len(p.all) == 0 {
		return sample{}, false
	}
	return p.all[len(p.all)-1], true
}

// before returns the latest reading at or before a time, if it is not before another time.
func (p *readings) before(at, after time.Time) (sample, bool) {
	for i := len(p.all) - 1; i >= 0; i-- {
		if r := p.all[i]; !r.At.After(at) {
			return r, !r.At.Before(after)
		}
	}
	return sample{}, false
}
