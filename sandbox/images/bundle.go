package images

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/klauspost/compress/zstd"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
)

// Save writes images, and other files under the names that Load gives them, as one zstd archive. It verifies the digests of the blobs.
func (c *Cache) Save(ctx context.Context, w io.Writer, all []Ready, files map[string]string) error {
	z, err := zstd.NewWriter(stoppableWriter(ctx, w))
	if err != nil {
		return err
	}
	tw := tar.NewWriter(z)
	written := map[v1.Hash]bool{}
	for _, r := range all {
		if err := c.saveImage(ctx, tw, r, written); err != nil {
			return fmt.Errorf("saving %s: %w", r.Ref, err)
		}
	}
	for name, from := range files {
		if err := addFile(tw, "files/"+name, from, 0o644); err != nil {
			return fmt.Errorf("saving %s: %w", name, err)
		}
	}
	if err := tw.Close(); err != nil {
		return err
	}
	return z.Close()
}

func (c *Cache) saveImage(ctx context.Context, tw *tar.Writer, r Ready, written map[v1.Hash]bool) error {
	if err := c.Verify(ctx, r.Image); err != nil {
		return err
	}
	for _, h := range c.blobsOf(r.Entry) {
		if written[h] {
			continue
		}
		written[h] = true
		if err := addFile(tw, blobName(h), c.blob(h), 0o644); err != nil {
			return err
		}
	}
	e := r.Entry
	e.Key = bundleKey(e.Ref)
	data, err := json.Marshal(e)
	if err != nil {
		return err
	}
	return addStream(tw, "entries/"+e.Key+".json", int64(len(data)), strings.NewReader(string(data)))
}

// Load reads an archive that Save wrote: images into the cache, and other files into folder. Each image replaces the entry that the cache had for
// its reference. An entry is added only after all of its blobs have been stored and verified, so an interrupted Load leaves no incomplete entry.
func (c *Cache) Load(ctx context.Context, r io.Reader, folder string) ([]Entry, error) {
	z, err := zstd.NewReader(stoppableReader(ctx, r))
	if err != nil {
		return nil, err
	}
	defer z.Close()
	unlock, err := c.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	entries, err := c.loadFiles(tar.NewReader(z), folder)
	if ctx.Err() != nil {
		// The bundle is not at fault.
		err = ctx.Err()
	}
	if err != nil {
		return nil, errors.Join(err, c.sweep())
	}
	// Entries are added at the end, because adding one sweeps the blobs that no entry needs yet, including those of the next entry.
	for _, e := range entries {
		if err := c.drop(e); err != nil {
			return nil, err
		}
	}
	return entries, nil
}

// rewrite is the remedy for a bundle that cannot be read.
var rewrite = remedy.Advicef("write it again with `%s`", remedy.Command("images", "save"))

func (c *Cache) loadFiles(tr *tar.Reader, folder string) ([]Entry, error) {
	var entries []Entry
	for {
		hdr, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return entries, nil
		}
		if err != nil {
			return nil, remedy.Errorf(rewrite, "reading the bundle: %w", err)
		}
		e, err := c.loadFile(hdr.Name, tr, folder)
		if err != nil {
			return nil, remedy.Errorf(rewrite, "reading %s of the bundle: %w", hdr.Name, err)
		}
		if e != nil {
			entries = append(entries, *e)
		}
	}
}

func (c *Cache) loadFile(name string, r io.Reader, folder string) (*Entry, error) {
	kind, rest, _ := strings.Cut(name, "/")
	if !fs.ValidPath(rest) || !slices.Contains([]string{"blobs", "entries", "files"}, kind) {
		return nil, errors.New("a bundle has no such file")
	}
	switch kind {
	case "blobs":
		digest, err := v1.NewHash(strings.Replace(rest, "/", ":", 1))
		if err != nil {
			return nil, err
		}
		return nil, c.loadBlob(digest, r)
	case "files":
		return nil, writeStream(filepath.Join(folder, rest), r)
	}
	// An entry has a few hundred bytes.
	data, err := io.ReadAll(io.LimitReader(r, 1<<20))
	if err != nil {
		return nil, err
	}
	var e Entry
	if err := json.Unmarshal(data, &e); err != nil {
		return nil, err
	}
	// The key becomes a file name, which must not point elsewhere.
	if e.Key != bundleKey(e.Ref) || rest != e.Key+".json" {
		return nil, errors.New("the entry does not match its name")
	}
	digest, err := v1.NewHash(e.Digest)
	if err != nil {
		return nil, err
	}
	if _, err := c.image(digest); err != nil {
		return nil, fmt.Errorf("the bundle lacks a part of %s: %w", e.Ref, err)
	}
	return &e, replaceFile(c.entryFile(e.Key), data)
}

// loadBlob stores a blob if it has its digest.
func (c *Cache) loadBlob(digest v1.Hash, r io.Reader) error {
	whole := &checkedReader{ReadCloser: io.NopCloser(r), want: digest, hash: sha256.New()}
	return writeStream(c.blob(digest), whole)
}

// writeStream writes a file atomically from r.
func writeStream(path string, r io.Reader) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = io.Copy(f, r)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
