//go:build unix

package doctor

import "syscall"

func freeBytes(path string) (uint64, error) {
	var st syscall.Statfs_t
	err := syscall.Statfs(path, &st)
	return st.Bavail * uint64(st.Bsize), err
}

func nofile() (uint64, error) {
	var limit syscall.Rlimit
	err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit)
	return limit.Max, err
}
