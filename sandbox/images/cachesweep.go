package images

import (
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// drop removes older entries of e's reference and then every blob that no entry needs.
func (c *Cache) drop(e Entry) error {
	all, err := c.Entries()
	if err != nil {
		return err
	}
	dropped := false
	for _, old := range all {
		if old.Ref == e.Ref && old.Key != e.Key {
			dropped = true
			if err := os.Remove(c.entryFile(old.Key)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	if !dropped {
		return nil
	}
	return c.sweep()
}

// sweep deletes the blobs that no entry needs.
func (c *Cache) sweep() error {
	all, err := c.Entries()
	if err != nil {
		return err
	}
	needed := map[string]bool{}
	for _, e := range all {
		for _, h := range c.blobsOf(e) {
			needed[h.Hex] = true
		}
	}
	blobs, err := os.ReadDir(filepath.Join(c.dir, "blobs", "sha256"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, b := range blobs {
		if _, err := hex.DecodeString(b.Name()); err != nil || needed[b.Name()] {
			continue
		}
		if err := os.Remove(filepath.Join(c.dir, "blobs", "sha256", b.Name())); err != nil {
			return err
		}
	}
	return nil
}

// blobsOf lists an entry's manifest, config and layers, as far as its manifest can be read.
func (c *Cache) blobsOf(e Entry) []v1.Hash {
	digest, err := v1.NewHash(e.Digest)
	if err != nil {
		return nil
	}
	all := []v1.Hash{digest}
	f, err := os.Open(c.blob(digest))
	if err != nil {
		return all
	}
	defer f.Close()
	manifest, err := v1.ParseManifest(f)
	if err != nil {
		return all
	}
	all = append(all, manifest.Config.Digest)
	for _, l := range manifest.Layers {
		all = append(all, l.Digest)
	}
	return all
}
