package tui

import (
	"math"
	"strings"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
)

var bars = []rune("▁▂▃▄▅▆▇█")

// sparkline draws the last width values, the newest on the right, scaled to the largest one. A value that is not a number is a gap.
func sparkline(values []float64, width int) string {
	values = values[max(0, len(values)-width):]
	top := 0.0
	for _, v := range values {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			top = max(top, v)
		}
	}
	var b strings.Builder
	b.WriteString(strings.Repeat(" ", max(0, width-len(values))))
	for _, v := range values {
		switch {
		case math.IsNaN(v) || math.IsInf(v, 0):
			b.WriteByte(' ')
		case v <= 0 || top == 0:
			b.WriteRune(bars[0])
		default:
			b.WriteRune(bars[int(math.Round(v/top*float64(len(bars)-1)))])
		}
	}
	return b.String()
}

// remembered is the number of rates that are kept per edge, the width of the widest sparkline.
const remembered = 24

// edgeID identifies an edge.
type edgeID struct{ caller, callee, method string }

func idOf(e telemetry.Edge) edgeID { return edgeID{e.Caller, e.Callee, e.Method} }

// rates is the history of the rate of each edge, the oldest first.
type rates map[edgeID][]float64

// with returns the history with the rates of one more reading, after a gap of missed values. It drops edges that no longer exist.
func (r rates) with(edges []telemetry.Edge, missed int) rates {
	next := make(rates, len(edges))
	for _, e := range edges {
		values := append(make([]float64, 0, remembered+missed+1), r[idOf(e)]...)
		for range missed {
			values = append(values, math.NaN())
		}
		values = append(values, e.Rate)
		next[idOf(e)] = values[max(0, len(values)-remembered):]
	}
	return next
}
