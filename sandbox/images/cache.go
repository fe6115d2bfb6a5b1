package images

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
)

// Cache stores images in an OCI layout, with one entry for each recipe key. Entries share layers.
type Cache struct{ dir string }

// Entry describes the image that is stored under a key.
type Entry struct {
	// Ref is the name of the image in manifests, Key the key under which it is stored.
	Ref string `json:"ref"`
	Key string `json:"key"`
	// Origin is how the image got into the cache. Digest is that of its manifest, such as sha256:….
	Origin Origin `json:"origin"`
	Digest string `json:"digest"`
	// Size is the number of bytes of all layers, as stored.
	Size int64 `json:"size"`
	// Took is how long pulling or building the image took. Created is when that started.
	Took    time.Duration `json:"tookNanoseconds"`
	Created time.Time     `json:"created"`
}

// OpenCache opens the cache in dir, and creates it if necessary.
func OpenCache(dir string) (*Cache, error) {
	if err := os.MkdirAll(filepath.Join(dir, "entries"), 0o755); err != nil {
		return nil, fmt.Errorf("opening the image cache: %w", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "oci-layout")); errors.Is(err, fs.ErrNotExist) {
		if err := os.WriteFile(filepath.Join(dir, "oci-layout"), []byte(`{"imageLayoutVersion":"1.0.0"}`), 0o644); err != nil {
			return nil, fmt.Errorf("opening the image cache: %w", err)
		}
	}
	return &Cache{dir: dir}, nil
}

// ErrCorrupt is in the chain of every error about a damaged cache entry.
var ErrCorrupt = errors.New("the cached image is damaged")

func (c *Cache) entryFile(key string) string { return filepath.Join(c.dir, "entries", key+".json") }

// Get returns the entry and image of a key. The error is fs.ErrNotExist if there is none, and ErrCorrupt if a part is missing or truncated. Content
// is compared with its digest when it is read; see Verify.
func (c *Cache) Get(key string) (Entry, v1.Image, error) {
	data, err := os.ReadFile(c.entryFile(key))
	if err != nil {
		return Entry{}, nil, err
	}
	var e Entry
	if err := json.Unmarshal(data, &e); err != nil {
		return Entry{}, nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	digest, err := v1.NewHash(e.Digest)
	if err != nil {
		return Entry{}, nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	img, err := c.image(digest)
	if err != nil {
		return Entry{}, nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return e, img, nil
}

func (c *Cache) image(digest v1.Hash) (v1.Image, error) {
	raw, err := os.ReadFile(c.blob(digest))
	if err != nil {
		return nil, err
	}
	if got, _, err := v1.SHA256(bytes.NewReader(raw)); err != nil || got != digest {
		return nil, fmt.Errorf("manifest %s has digest %s", digest, got)
	}
	manifest, err := v1.ParseManifest(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	for _, part := range append([]v1.Descriptor{manifest.Config}, manifest.Layers...) {
		info, err := os.Stat(c.blob(part.Digest))
		if err != nil {
			return nil, err
		}
		if info.Size() != part.Size {
			return nil, fmt.Errorf("blob %s has %d bytes instead of %d", part.Digest, info.Size(), part.Size)
		}
	}
	return cachedImage(c, raw, manifest)
}

func (c *Cache) blob(h v1.Hash) string { return filepath.Join(c.dir, "blobs", h.Algorithm, h.Hex) }

// Verify reads the whole image and compares it with its digests. It expects uncompressed layers, which all of ours are.
func (c *Cache) Verify(ctx context.Context, img v1.Image) error {
	manifest, err := img.Manifest()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	config, err := img.RawConfigFile()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if err := compare(bytes.NewReader(config), manifest.Config); err != nil {
		return err
	}
	for _, part := range manifest.Layers {
		layer, err := img.LayerByDigest(part.Digest)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrCorrupt, err)
		}
		r, err := layer.Compressed()
		if err != nil {
			return fmt.Errorf("%w: %w", ErrCorrupt, err)
		}
		err = compare(stoppableReader(ctx, r), part)
		r.Close()
		if ctx.Err() != nil {
			// A cancelled read says nothing about the image.
			return ctx.Err()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func compare(r io.Reader, want v1.Descriptor) error {
	got, size, err := v1.SHA256(r)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if got != want.Digest || size != want.Size {
		return fmt.Errorf("%w: blob %s has digest %s and %d bytes", ErrCorrupt, want.Digest, got, size)
	}
	return nil
}

// Put stores an image under a key, and drops the previous image of the same reference.
func (c *Cache) Put(ctx context.Context, e Entry, img v1.Image) (Entry, v1.Image, error) {
	unlock, err := c.lock(ctx)
	if err != nil {
		return Entry{}, nil, err
	}
	defer unlock()
	if err := layout.Path(c.dir).WriteImage(img); err != nil {
		return Entry{}, nil, fmt.Errorf("writing %s to the image cache: %w", e.Ref, err)
	}
	digest, err := img.Digest()
	if err != nil {
		return Entry{}, nil, err
	}
	manifest, err := img.Manifest()
	if err != nil {
		return Entry{}, nil, err
	}
	e.Digest, e.Size = digest.String(), 0
	for _, l := range manifest.Layers {
		e.Size += l.Size
	}
	data, err := json.MarshalIndent(e, "", "  ")
	if err != nil {
		return Entry{}, nil, err
	}
	if err := replaceFile(c.entryFile(e.Key), data); err != nil {
		return Entry{}, nil, err
	}
	if err := c.drop(e); err != nil {
		return Entry{}, nil, err
	}
	return c.Get(e.Key)
}

// Remove removes an entry and its damaged blobs, so that the next lookup makes the image again.
func (c *Cache) Remove(ctx context.Context, key string) error {
	unlock, err := c.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if e, err := c.entry(c.entryFile(key)); err == nil {
		c.removeDamaged(e)
	}
	if err := os.Remove(c.entryFile(key)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return c.sweep()
}

// removeDamaged deletes the blobs of e that do not have their digest, so that they are written again instead of being skipped as present.
func (c *Cache) removeDamaged(e Entry) {
	for _, h := range c.blobsOf(e) {
		f, err := os.Open(c.blob(h))
		if err != nil {
			continue
		}
		got, _, err := v1.SHA256(f)
		f.Close()
		if err != nil || got != h {
			os.Remove(c.blob(h))
		}
	}
}

// Entries lists the entries of the cache.
func (c *Cache) Entries() ([]Entry, error) {
	files, err := filepath.Glob(filepath.Join(c.dir, "entries", "*.json"))
	if err != nil {
		return nil, err
	}
	var all []Entry
	for _, f := range files {
		if e, err := c.entry(f); err == nil {
			all = append(all, e)
		}
	}
	return all, nil
}

func (c *Cache) entry(file string) (Entry, error) {
	var e Entry
	data, err := os.ReadFile(file)
	if err != nil {
		return e, err
	}
	return e, json.Unmarshal(data, &e)
}

// replaceFile writes a file atomically.
func replaceFile(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
