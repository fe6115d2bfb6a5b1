package doctor

import (
	"errors"

	"golang.org/x/sys/windows"
)

func freeBytes(path string) (free uint64, err error) {
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return 0, err
	}
	err = windows.GetDiskFreeSpaceEx(name, &free, nil, nil)
	return free, err
}

// nofile fails: Windows has no such limit.
func nofile() (uint64, error) { return 0, errors.ErrUnsupported }
