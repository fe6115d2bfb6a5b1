package images

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// removeScratch deletes a build's folder. A killed debootstrap leaves the kernel's file systems mounted in it. They are unmounted first, and if
// that fails the folder is kept.
func removeScratch(dir string) error {
	mountinfo, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	// The kernel lists mounts by their real paths.
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return err
	}
	for _, at := range mountsBelow(string(mountinfo), real) {
		if err := syscall.Unmount(at, syscall.MNT_DETACH); err != nil {
			return fmt.Errorf("unmounting %s: %w", at, err)
		}
	}
	return os.RemoveAll(dir)
}
