//go:build unix

package images

import (
	"io/fs"
	"syscall"
)

// inode has what a file system records about a file besides its mode.
type inode struct {
	number   uint64
	links    uint64
	uid, gid int
}

func inodeOf(info fs.FileInfo) (inode, bool) {
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return inode{}, false
	}
	return inode{uint64(s.Ino), uint64(s.Nlink), int(s.Uid), int(s.Gid)}, true //nolint:unconvert // the types differ between systems
}
