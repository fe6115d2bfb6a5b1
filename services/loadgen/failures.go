package loadgen

import (
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/grpc-sandbox/sandbox/services/loadgen/loadgenv1"
)

const (
	slotLength = 100 * time.Millisecond
	maxSlots   = int64(time.Hour / slotLength)
	// periodGap is the longest time between two failed calls of one failure period.
	periodGap = time.Second
	// maxPeriods bounds the answer of GetLoad. If there are more periods, the gap that joins two of them is doubled.
	maxPeriods = 100
)

// slot counts the calls that were due within one tenth of a second.
type slot struct {
	answered, failed int64
	// first and last are the intended starts of its failed calls, relative to the start of the load.
	first, last time.Duration
}

// history records the last hour of a load by the intended start of its calls. Calls end in another order than they start: those that time out
// during an outage end when later ones have been answered already. Ordered by intended start, an outage has one start and one end.
type history struct {
	// first is the number of slots[0].
	first int64
	slots []slot
}

// add counts a call that was due at the given time since the start of the load.
func (h *history) add(due time.Duration, failed bool) {
	n := int64(max(due, 0) / slotLength)
	if len(h.slots) == 0 || n >= h.first+int64(len(h.slots))+maxSlots {
		h.first, h.slots = n, h.slots[:0]
	}
	if n < h.first {
		if int64(len(h.slots))+h.first-n > maxSlots {
			// The call is older than the recorded hour.
			return
		}
		h.slots = append(make([]slot, h.first-n), h.slots...)
		h.first = n
	}
	for h.first+int64(len(h.slots)) <= n {
		h.slots = append(h.slots, slot{})
	}
	// Remove an eighth at a time, so that slots are rarely moved.
	if extra := int64(len(h.slots)) - maxSlots; extra > maxSlots/8 {
		h.slots = append(h.slots[:0], h.slots[extra:]...)
		h.first += extra
	}
	s := &h.slots[n-h.first]
	if !failed {
		s.answered++
		return
	}
	if s.failed == 0 {
		s.first, s.last = due, due
	}
	s.failed++
	s.first, s.last = min(s.first, due), max(s.last, due)
}

// period is a time in which calls failed. See FailurePeriod in the proto.
type period struct {
	first, last, outage time.Duration
	failed              int64
}

func (h *history) periods() []period {
	for gap := periodGap; ; gap *= 2 {
		if found := h.periodsApart(gap); len(found) <= maxPeriods {
			return found
		}
	}
}

// periodsApart joins failures that are at most gap apart, or that have no answered call between them.
func (h *history) periodsApart(gap time.Duration) []period {
	var found []period
	// outage is the start of the current outage.
	var outage time.Duration
	// dark means that the load is in an outage; lit, that a call was answered since the last failed one.
	dark, lit := false, true
	for i, s := range h.slots {
		if s.answered > 0 && dark {
			p := &found[len(found)-1]
			p.outage = max(p.outage, time.Duration(h.first+int64(i))*slotLength-outage)
		}
		if s.answered > 0 {
			dark, lit = false, true
		}
		if s.failed == 0 {
			continue
		}
		if len(found) == 0 || lit && s.first-found[len(found)-1].last > gap {
			found = append(found, period{first: s.first})
		}
		p := &found[len(found)-1]
		p.last, p.failed, lit = s.last, p.failed+s.failed, s.answered > 0
		if s.answered == 0 {
			if !dark {
				dark, outage = true, s.first
			}
			p.outage = max(p.outage, s.last-outage)
		}
	}
	return found
}

func failurePeriods(started time.Time, periods []period) []*loadgenv1.FailurePeriod {
	out := make([]*loadgenv1.FailurePeriod, len(periods))
	for i, p := range periods {
		out[i] = &loadgenv1.FailurePeriod{FirstFailedAt: timestamppb.New(started.Add(p.first)), LastFailedAt: timestamppb.New(started.Add(p.last)),
			Failed: p.failed, LongestOutage: durationpb.New(p.outage)}
	}
	return out
}
