package images

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// VerifyAll reads every image in the cache and compares it with its digests. An entry that cannot be read counts as damaged.
func (c *Cache) VerifyAll(ctx context.Context) error {
	files, err := filepath.Glob(filepath.Join(c.dir, "entries", "*.json"))
	if err != nil {
		return err
	}
	for _, file := range files {
		err := c.verifyEntry(ctx, file)
		// Another process may have swept it in between.
		if _, gone := os.Stat(file); err != nil && !errors.Is(gone, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

func (c *Cache) verifyEntry(ctx context.Context, file string) error {
	e, err := c.entry(file)
	if err != nil {
		return fmt.Errorf("%s: %w: %w", file, ErrCorrupt, err)
	}
	_, img, err := c.Get(strings.TrimSuffix(filepath.Base(file), ".json"))
	if err == nil {
		err = c.Verify(ctx, img)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", e.Ref, err)
	}
	return nil
}
