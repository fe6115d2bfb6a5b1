package images

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// renumber changes the id of a user of the system in root, of the group with the same name, and of the files they own. Packages take the next free
// id.
func renumber(root, user string, number int) error {
	uid, err := renumberIn(filepath.Join(root, "etc/passwd"), user, number, 2, 3)
	if err != nil {
		return err
	}
	gid, err := renumberIn(filepath.Join(root, "etc/group"), user, number, 2)
	if err != nil {
		return err
	}
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		file, ok := inodeOf(info)
		if !ok || (file.uid != uid && file.gid != gid) {
			return nil
		}
		newUID, newGID := file.uid, file.gid
		if newUID == uid {
			newUID = number
		}
		if newGID == gid {
			newGID = number
		}
		if err := os.Lchown(path, newUID, newGID); err != nil {
			return err
		}
		if info.Mode()&fs.ModeSymlink != 0 {
			return nil
		}
		// Changing the owner clears the set-id bits.
		return os.Chmod(path, info.Mode())
	})
}

// renumberIn writes number into these fields of the line of name, and returns the previous value of the first.
func renumberIn(file, name string, number int, fields ...int) (int, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	was := -1
	lines := strings.Split(string(data), "\n")
	for i, line := range lines {
		parts := strings.Split(line, ":")
		if len(parts) <= fields[len(fields)-1] {
			continue
		}
		switch {
		case parts[0] == name:
			if was, err = strconv.Atoi(parts[fields[0]]); err != nil {
				return 0, fmt.Errorf("reading %s: %w", file, err)
			}
			for _, f := range fields {
				parts[f] = strconv.Itoa(number)
			}
			lines[i] = strings.Join(parts, ":")
		case parts[fields[0]] == strconv.Itoa(number):
			return 0, fmt.Errorf("%s already has the id %d", parts[0], number)
		}
	}
	if was < 0 {
		return 0, fmt.Errorf("no user %q in %s", name, file)
	}
	return was, os.WriteFile(file, []byte(strings.Join(lines, "\n")), 0o644)
}
