package images

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/grpc-sandbox/sandbox/sandbox/fixture"
)

func TestPreparation_FollowsTheStages(t *testing.T) {
	s := newShop(t, "", false)
	var order []string
	one := func(ref string, stage Stage, err error) Image {
		return Image{Ref: ref, Stage: stage, Recipe: fakeRecipe{Value: ref, build: func(_ context.Context, w *Workshop) (v1.Image, error) {
			order = append(order, ref)
			if err != nil {
				return nil, err
			}
			return layersOf(w.Scratch, ref)
		}}}
	}
	p := s.store.Prepare(t.Context(), []Image{
		one("view", ForViewing, nil), one("call1", ForFirstCall, errors.New("broken")), one("cluster", ForCluster, nil), one("call2", ForFirstCall, nil),
	})
	defer p.Stop()
	// The last stage.
	r, err := p.Wait(t.Context(), "view")
	if err != nil || r.Ref != "view" {
		t.Fatalf("%s: %v", r.Ref, err)
	}
	if want := []string{"cluster", "call1", "call2", "view"}; !slices.Equal(order, want) {
		t.Errorf("made in order %v, want %v", order, want)
	}
	_, err = p.Wait(t.Context(), "call1")
	wantError(t, err, nil, "broken")
	var unknown *UnknownError
	if _, err := p.Wait(t.Context(), "other"); !errors.As(err, &unknown) || unknown.Ref != "other" || !strings.Contains(fixture.ErrorText(err), "try: sandbox images list") {
		t.Errorf("an unknown image: %v", err)
	}
}

func TestPreparation_CachedImagesAreReadyImmediately(t *testing.T) {
	s := newShop(t, "", false)
	made := Image{Ref: "made", Stage: ForViewing, Recipe: fakeRecipe{Value: "made", build: func(_ context.Context, w *Workshop) (v1.Image, error) {
		return layersOf(w.Scratch, "made")
	}}}
	if _, err := s.store.Get(t.Context(), made); err != nil {
		t.Fatal(err)
	}
	slow := Image{Ref: "slow", Stage: ForCluster, Recipe: fakeRecipe{Value: "slow", build: func(ctx context.Context, _ *Workshop) (v1.Image, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}}}
	p := s.store.Prepare(t.Context(), []Image{slow, made})
	defer p.Stop()
	if r, err := p.Wait(t.Context(), "made"); err != nil || r.How != Present {
		t.Errorf("%+v, %v", r.Entry, err)
	}
}

func TestPreparation_StopCancels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t, "", false)
		ended := false
		s.image.Recipe = fakeRecipe{build: func(ctx context.Context, _ *Workshop) (v1.Image, error) {
			<-ctx.Done()
			ended = true
			return nil, ctx.Err()
		}}
		p := s.store.Prepare(t.Context(), []Image{s.image})
		cancelled, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := p.Wait(cancelled, s.image.Ref); !errors.Is(err, context.Canceled) {
			t.Errorf("a cancelled wait returned %v", err)
		}
		synctest.Wait()
		p.Stop()
		if !ended {
			t.Error("Stop did not wait for the build's end")
		}
		if _, err := p.Wait(t.Context(), s.image.Ref); !errors.Is(err, context.Canceled) {
			t.Errorf("after Stop: %v", err)
		}
	})
}
