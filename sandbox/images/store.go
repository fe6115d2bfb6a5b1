package images

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
)

// Event reports the progress of one image to an observer.
type Event struct {
	// Ref is the name of the image.
	Ref string
	// Doing is the current activity. It is empty once the image is available.
	Doing string
	// Typical is the duration of a cold build. It is zero for a pull.
	Typical time.Duration
	// Note is a line that stays on the screen. An event with a note has no other field except Ref.
	Note string
	// Done is set once the image is available.
	Done *Ready
}

// Ready is an image that is available.
type Ready struct {
	Entry
	// Image gives access to the manifest and the layers.
	Image v1.Image
	// How says where the image came from this time.
	How Origin
}

// Store finds, pulls or builds images, in that order.
type Store struct {
	// Cache, Registry and Mode are where images are looked for: in the cache first, then as Mode permits.
	Cache    *Cache
	Registry *Registry
	Mode     Mode
	// SourceTree is a checkout of this project. It is empty if there is none.
	SourceTree string
	// Observe may be nil.
	Observe func(Event)
	// System is the operating system, as in runtime.GOOS. Empty means this one.
	System string

	reportedOffline atomic.Bool
}

func (s *Store) system() string { return cmp.Or(s.System, runtime.GOOS) }

// Get returns the image, and makes it if necessary.
func (s *Store) Get(ctx context.Context, i Image) (Ready, error) {
	r, buildKey, err := s.present(ctx, i)
	if errors.Is(err, errMissing) {
		if r, err = s.pullOrBuild(ctx, i, buildKey); err != nil {
			err = fmt.Errorf("preparing %s: %w", i.Ref, err)
		}
	}
	if err != nil {
		return Ready{}, err
	}
	s.observe(Event{Ref: i.Ref, Done: &r})
	return r, nil
}

// errMissing means that an image is not in the cache.
var errMissing = errors.New("not in the cache")

// present looks for an image in the cache. buildKey is the key of the image that this source tree builds, or empty without a source tree.
func (s *Store) present(ctx context.Context, i Image) (r Ready, buildKey string, err error) {
	keys, buildKey, err := s.keys(i)
	if err != nil {
		return Ready{}, "", fmt.Errorf("preparing %s: %w", i.Ref, err)
	}
	for _, k := range keys {
		r, ok, err := s.find(ctx, k, i.Ref)
		if err != nil {
			return Ready{}, "", fmt.Errorf("preparing %s: %w", i.Ref, err)
		}
		if ok {
			return r, buildKey, nil
		}
	}
	return Ready{}, buildKey, errMissing
}

// keys returns the keys under which an image may be in the cache. buildKey is as for present.
func (s *Store) keys(i Image) (keys []string, buildKey string, err error) {
	if s.SourceTree != "" {
		if buildKey, err = Key(i.Recipe, s.SourceTree, goVersion()); err != nil {
			return nil, "", err
		}
		// The image that this source tree builds is preferred.
		keys = append(keys, buildKey)
	}
	if i.Pull != "" {
		keys = append(keys, pullKey(i.Pull))
	}
	keys = append(keys, bundleKey(i.Ref))
	if s.SourceTree == "" && s.Mode != Pull {
		built, err := s.builtEarlier(i.Ref)
		return append(keys, built...), "", err
	}
	return keys, buildKey, nil
}

// builtEarlier returns the keys of the images that some source tree built under a reference, the newest first. Without a source tree it is not known
// which of them is meant, and there may be no other way to get the image.
func (s *Store) builtEarlier(ref string) ([]string, error) {
	entries, err := s.Cache.Entries()
	if err != nil {
		return nil, err
	}
	entries = slices.DeleteFunc(entries, func(e Entry) bool { return e.Ref != ref || e.Origin != Built })
	slices.SortFunc(entries, func(a, b Entry) int { return b.Created.Compare(a.Created) })
	var keys []string
	for _, e := range entries {
		keys = append(keys, e.Key)
	}
	return keys, nil
}

// Missing reports whether an image is not in the cache. It changes nothing: a damaged entry counts as missing, and is kept.
func (s *Store) Missing(i Image) (bool, error) {
	keys, _, err := s.keys(i)
	if err != nil {
		return false, fmt.Errorf("looking for %s: %w", i.Ref, err)
	}
	for _, k := range keys {
		if _, _, err := s.Cache.Get(k); err == nil {
			return false, nil
		}
	}
	return true, nil
}

// Renew removes a damaged image from the cache and makes it again.
func (s *Store) Renew(ctx context.Context, i Image, r Ready) (Ready, error) {
	if err := s.Cache.Remove(ctx, r.Key); err != nil {
		return Ready{}, fmt.Errorf("removing the damaged %s: %w", i.Ref, err)
	}
	return s.Get(ctx, i)
}

// find looks a key up. A damaged entry is removed and counts as missing.
func (s *Store) find(ctx context.Context, key, ref string) (Ready, bool, error) {
	e, img, err := s.Cache.Get(key)
	switch {
	case err == nil:
		e.Ref = ref
		return Ready{Entry: e, Image: img, How: Present}, true, nil
	case errors.Is(err, fs.ErrNotExist) && !errors.Is(err, ErrCorrupt):
		return Ready{}, false, nil
	case errors.Is(err, ErrCorrupt):
		return Ready{}, false, s.Cache.Remove(ctx, key)
	}
	return Ready{}, false, err
}

// longBuild is the longest build that replaces a pull because of a registry's rate limit.
const longBuild = time.Minute

func (s *Store) pullOrBuild(ctx context.Context, i Image, buildKey string) (Ready, error) {
	var pullErr error
	if i.Pull != "" && s.Mode != Source {
		var r Ready
		if r, pullErr = s.pull(ctx, i); pullErr == nil {
			return r, nil
		}
	}
	if ctx.Err() != nil {
		return Ready{}, ctx.Err()
	}
	if pullErr != nil && s.Mode == Pull {
		return Ready{}, remedy.Wrap(pullErr, remedy.Flag("images", "auto").If("what cannot be pulled may be built"))
	}
	var limited *RateLimitError
	if errors.As(pullErr, &limited) && i.Typical > longBuild {
		// The pull will work soon, and the build would take much longer than a user expects.
		return Ready{}, pullErr
	}
	if s.SourceTree == "" {
		return Ready{}, errors.Join(pullErr, remedy.New("building it needs a checkout of this project",
			remedy.Advice("run from the project's folder, or name it with --source")))
	}
	if pullErr != nil {
		s.reportPull(i.Ref, pullErr)
	}
	r, err := s.build(ctx, i, buildKey)
	if err != nil && pullErr != nil {
		return Ready{}, fmt.Errorf("%w\nand building it instead: %w", pullErr, err)
	}
	return r, err
}

func (s *Store) pull(ctx context.Context, i Image) (Ready, error) {
	if s.Registry.Offline() {
		return Ready{}, ErrOffline
	}
	s.observe(Event{Ref: i.Ref, Doing: "pulling"})
	started := time.Now()
	img, err := s.Registry.Image(ctx, i.Pull, func(registry string, pause time.Duration) {
		s.observe(Event{Ref: i.Ref, Doing: fmt.Sprintf("waiting %s, because %s limits pulls", pause, registry)})
	})
	if err != nil {
		return Ready{}, err
	}
	r, err := s.put(ctx, i, pullKey(i.Pull), Pulled, img, started)
	if err == nil && i.Pull != i.Ref {
		s.observe(Event{Ref: i.Ref, Note: "it is " + i.Pull})
	}
	return r, err
}

// reportPull reports why an image is built that could have been pulled. A missing network is reported once.
func (s *Store) reportPull(ref string, err error) {
	if !errors.Is(err, ErrOffline) {
		s.observe(Event{Ref: ref, Note: "building it from source, because it cannot be pulled: " + short(err)})
	} else if s.reportedOffline.CompareAndSwap(false, true) {
		s.observe(Event{Ref: ref, Note: "building missing images from source: " + short(err)})
	}
}

// short returns the first line of an error, shortened to what fits on a screen.
func short(err error) string {
	const room = 200
	line, _, _ := strings.Cut(err.Error(), "\n")
	if r := []rune(line); len(r) > room {
		line = string(r[:room-1]) + "…"
	}
	return line
}

func (s *Store) build(ctx context.Context, i Image, key string) (Ready, error) {
	// Go programs are cross-compiled. The tools of other recipes exist on Linux only.
	if len(i.Recipe.Needs()) > 0 && s.system() != "linux" {
		return Ready{}, &LinuxError{s.system()}
	}
	for _, program := range append([]string{"go"}, i.Recipe.Needs()...) {
		if _, err := exec.LookPath(program); err != nil {
			return Ready{}, &MissingError{Program: program}
		}
	}
	scratch, err := os.MkdirTemp(s.Cache.dir, "build-")
	if err != nil {
		return Ready{}, err
	}
	defer removeScratch(scratch) //nolint:errcheck // the next `up` reports what could not be removed
	unlock, err := lockFolder(scratch)
	if err != nil {
		return Ready{}, err
	}
	defer unlock()
	started := time.Now()
	w := &Workshop{SourceTree: s.SourceTree, Scratch: scratch, Doing: func(what string) {
		s.observe(Event{Ref: i.Ref, Doing: what, Typical: i.Typical})
	}}
	img, err := i.Recipe.Build(ctx, w)
	if err != nil {
		return Ready{}, err
	}
	return s.put(ctx, i, key, Built, img, started)
}

func (s *Store) put(ctx context.Context, i Image, key string, how Origin, img v1.Image, started time.Time) (Ready, error) {
	e := Entry{Ref: i.Ref, Key: key, Origin: how, Took: time.Since(started), Created: started.UTC()}
	e, img, err := s.Cache.Put(ctx, e, img)
	return Ready{Entry: e, Image: img, How: how}, err
}

func (s *Store) observe(e Event) {
	if s.Observe != nil {
		s.Observe(e)
	}
}

// pullKey returns the key of the image that was pulled under a reference.
func pullKey(ref string) string {
	sum := sha256.Sum256([]byte("pull " + ref))
	return hex.EncodeToString(sum[:])
}

// bundleKey returns the key of the image that a bundle brought for a reference.
func bundleKey(ref string) string {
	sum := sha256.Sum256([]byte("bundle " + ref))
	return hex.EncodeToString(sum[:])
}
