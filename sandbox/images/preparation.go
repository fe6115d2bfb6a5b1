package images

import (
	"context"
	"slices"
	"sync"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
)

// Preparation makes images one after another in the background, in order of need; whoever needs one waits for that one.
// One at a time, because a compilation uses every core by itself; what is in the cache waits for none.
type Preparation struct {
	cancel context.CancelFunc
	done   sync.WaitGroup
	slots  map[string]*slot
}

type slot struct {
	ready chan struct{}
	value Ready
	err   error
}

func (s *slot) end(r Ready, err error) {
	s.value, s.err = r, err
	close(s.ready)
}

// Prepare starts making all images. Stop must be called.
func (s *Store) Prepare(ctx context.Context, all []Image) *Preparation {
	ctx, cancel := context.WithCancel(ctx)
	ordered := slices.Clone(all)
	slices.SortStableFunc(ordered, func(a, b Image) int { return int(a.Stage) - int(b.Stage) })
	p := &Preparation{cancel: cancel, slots: map[string]*slot{}}
	for _, i := range ordered {
		p.slots[i.Ref] = &slot{ready: make(chan struct{})}
	}
	p.done.Go(func() {
		var missing []Image
		for _, i := range ordered {
			r, _, err := s.present(ctx, i)
			if err != nil {
				missing = append(missing, i)
				continue
			}
			s.observe(Event{Ref: i.Ref, Done: &r})
			p.slots[i.Ref].end(r, nil)
		}
		for _, i := range missing {
			p.slots[i.Ref].end(s.Get(ctx, i))
		}
	})
	return p
}

// Wait returns the image once it is there.
func (p *Preparation) Wait(ctx context.Context, ref string) (Ready, error) {
	slot := p.slots[ref]
	if slot == nil {
		return Ready{}, &UnknownError{Ref: ref}
	}
	select {
	case <-slot.ready:
		return slot.value, slot.err
	case <-ctx.Done():
		return Ready{}, ctx.Err()
	}
}

// Stop ends what is still being made and waits for its end.
func (p *Preparation) Stop() {
	p.cancel()
	p.done.Wait()
}

// UnknownError says that no catalog entry has a reference.
type UnknownError struct{ Ref string }

func (e *UnknownError) Error() string { return "image " + e.Ref + " is not in the catalog" }

// Remedies returns the command that lists the catalog.
func (e *UnknownError) Remedies() []remedy.Remedy {
	return []remedy.Remedy{remedy.Command("images", "list")}
}
