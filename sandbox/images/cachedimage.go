package images

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"os"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// cached is an image in the cache. Reading a blob that does not have its digest fails with ErrCorrupt.
type cached struct {
	cache    *Cache
	raw      []byte
	manifest *v1.Manifest
}

func cachedImage(c *Cache, raw []byte, m *v1.Manifest) (v1.Image, error) {
	return partial.CompressedToImage(cached{cache: c, raw: raw, manifest: m})
}

func (i cached) MediaType() (types.MediaType, error) { return i.manifest.MediaType, nil }
func (i cached) RawManifest() ([]byte, error)        { return i.raw, nil }

func (i cached) RawConfigFile() ([]byte, error) {
	config, err := os.ReadFile(i.cache.blob(i.manifest.Config.Digest))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return config, compare(bytes.NewReader(config), i.manifest.Config)
}

func (i cached) LayerByDigest(h v1.Hash) (partial.CompressedLayer, error) {
	for _, l := range i.manifest.Layers {
		if l.Digest == h {
			return cachedLayer{cache: i.cache, descriptor: l}, nil
		}
	}
	return nil, fmt.Errorf("layer %s is not in the image", h)
}

type cachedLayer struct {
	cache      *Cache
	descriptor v1.Descriptor
}

func (l cachedLayer) Digest() (v1.Hash, error)            { return l.descriptor.Digest, nil }
func (l cachedLayer) Size() (int64, error)                { return l.descriptor.Size, nil }
func (l cachedLayer) MediaType() (types.MediaType, error) { return l.descriptor.MediaType, nil }

func (l cachedLayer) Compressed() (io.ReadCloser, error) {
	f, err := os.Open(l.cache.blob(l.descriptor.Digest))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return &checkedReader{ReadCloser: f, want: l.descriptor.Digest, hash: sha256.New()}, nil
}

// checkedReader reads a blob and fails at its end if the content does not have the digest.
type checkedReader struct {
	io.ReadCloser
	want v1.Hash
	hash hash.Hash
}

func (c *checkedReader) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	c.hash.Write(p[:n])
	if err == io.EOF {
		if got := hex.EncodeToString(c.hash.Sum(nil)); got != c.want.Hex {
			return n, fmt.Errorf("%w: blob %s has digest sha256:%s", ErrCorrupt, c.want, got)
		}
	}
	return n, err
}
