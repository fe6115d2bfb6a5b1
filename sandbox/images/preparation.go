package images

import (
	"context"
	"slices"
	"sync"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
)

// Preparation makes images one at a time in the background, in the order in which they are needed. It makes one at a time because a compilation
// uses every core. Images in the cache are available immediately.
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

// Prepare starts making all images. The caller must call Stop.
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

// Wait returns the image as soon as it is available.
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

// Stop cancels the images that are still being made and waits until the work has ended.
func (p *Preparation) Stop() {
	p.cancel()
	p.done.Wait()
}

// UnknownError says that no catalog entry has a reference.
type UnknownError struct{ Ref string }

// Error names the reference.
func (e *UnknownError) Error() string { return "image " + e.Ref + " is not in the catalog" }

// Remedies returns the command that lists the catalog.
func (e *UnknownError) Remedies() []remedy.Remedy {
	return []remedy.Remedy{remedy.Command("images", "list")}
}
