//go:build !linux

package images

import "os"

// removeScratch deletes a build's folder.
func removeScratch(dir string) error { return os.RemoveAll(dir) }
