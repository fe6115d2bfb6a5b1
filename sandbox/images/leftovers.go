package images

import (
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/grpc-sandbox/sandbox/internal/flock"
	"github.com/grpc-sandbox/sandbox/internal/remedy"
)

// leftoverAge is the age at which an unlocked scratch folder counts as left by a killed build. Processes that the build started may outlive it for
// a while.
const leftoverAge = time.Hour

// RemoveLeftovers deletes the scratch folders of killed builds. It continues after a folder that cannot be removed, and does nothing while another
// process writes to the cache.
func (c *Cache) RemoveLeftovers() error { return c.removeLeftovers(removeScratch) }

func (c *Cache) removeLeftovers(remove func(dir string) error) error {
	unlock, err := c.tryLock()
	if errors.Is(err, flock.ErrHeld) {
		return nil
	}
	if err != nil {
		return err
	}
	defer unlock()
	dirs, err := filepath.Glob(filepath.Join(c.dir, "build-*"))
	if err != nil {
		return err
	}
	var stay []string
	var why []error
	for _, dir := range dirs {
		info, err := os.Stat(dir)
		if err != nil || time.Since(info.ModTime()) <= leftoverAge {
			continue
		}
		unlock, err := lockFolder(dir)
		if errors.Is(err, flock.ErrHeld) {
			// A build is using it.
			continue
		}
		if err == nil {
			err = remove(dir)
			unlock()
		}
		if err != nil {
			stay, why = append(stay, dir), append(why, err)
		}
	}
	if len(stay) == 0 {
		return nil
	}
	unmounted := append([]string{"sudo", "rm", "-r", "--one-file-system"}, stay...)
	return remedy.Errorf(remedy.Advicef("unmount as root what `findmnt` shows below it, then %s", remedy.Shell(unmounted...)),
		"removing what a killed build left: %w", errors.Join(why...))
}
