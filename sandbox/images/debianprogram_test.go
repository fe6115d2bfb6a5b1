package images

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

func TestAll_DebianListsExist(t *testing.T) {
	for _, i := range All() {
		d, ok := i.Recipe.(Debian)
		if !ok {
			continue
		}
		for _, list := range []string{"packages", "leave-out"} {
			entries, err := listFile(filepath.Join("../..", recipesFolder, d.Folder, list))
			if err != nil || len(entries) == 0 {
				t.Errorf("%s: %s has %d entries: %v", i.Ref, list, len(entries), err)
			}
			for _, e := range entries {
				if strings.HasPrefix(e, "/") || strings.Contains(e, "..") {
					t.Errorf("%s: %s leads out of the image", i.Ref, e)
				}
			}
		}
	}
}

func TestListFile_SkipsCommentsAndSpace(t *testing.T) {
	file := filepath.Join(t.TempDir(), "list")
	write(t, file, "# why\none\n\n  two \n")
	if got, err := listFile(file); err != nil || !slices.Equal(got, []string{"one", "two"}) {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestLeaveOut_RemovesMatchingFiles(t *testing.T) {
	root := t.TempDir()
	for _, name := range []string{"usr/lib/a/libLLVM-14.so", "usr/lib/a/libc.so", "var/lib/postgresql/15/main/x"} {
		write(t, filepath.Join(root, name), "x")
	}
	if err := leaveOut(root, []string{"usr/lib/*/libLLVM*", "var/lib/postgresql/*", "not/there"}); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"usr/lib/a/libLLVM-14.so": false, "usr/lib/a/libc.so": true, "var/lib/postgresql": true, "var/lib/postgresql/15": false} {
		if exists(filepath.Join(root, name)) != want {
			t.Errorf("%s is there: %v, want %v", name, !want, want)
		}
	}
	if err := leaveOut(root, []string{"[", "a"}); err == nil {
		t.Error("a broken pattern went unnoticed")
	}
}

func TestRenumber_ChangesOwnersAndPasswd(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("changing owners needs root")
	}
	system := func(t *testing.T, more string) string {
		root := t.TempDir()
		write(t, filepath.Join(root, "etc/passwd"), "root:x:0:0:root:/root:/bin/sh\npostgres:x:104:108:,,,:/var/lib/postgresql:/bin/bash\n"+more)
		write(t, filepath.Join(root, "etc/group"), "root:x:0:\npostgres:x:108:\nssl-cert:x:107:postgres\n")
		for name, owner := range map[string][2]int{"var/lib/postgresql/x": {104, 108}, "etc/shared": {0, 108}, "etc/other": {0, 0}} {
			write(t, filepath.Join(root, name), "x")
			if err := os.Chown(filepath.Join(root, name), owner[0], owner[1]); err != nil {
				t.Fatal(err)
			}
		}
		return root
	}
	root := system(t, "")
	if err := renumber(root, "postgres", 999); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][2]uint32{"var/lib/postgresql/x": {999, 999}, "etc/shared": {0, 999}, "etc/other": {0, 0}} {
		info, err := os.Stat(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		if s, ok := info.Sys().(*syscall.Stat_t); !ok || s.Uid != want[0] || s.Gid != want[1] {
			t.Errorf("%s is owned by %d:%d, want %v", name, s.Uid, s.Gid, want)
		}
	}
	passwd, err := os.ReadFile(filepath.Join(root, "etc/passwd"))
	if err != nil || !strings.Contains(string(passwd), "postgres:x:999:999:,,,:/var/lib/postgresql") {
		t.Errorf("passwd is %s, %v", passwd, err)
	}
	if err := renumber(root, "other", 998); err == nil || !strings.Contains(err.Error(), "no user \"other\"") {
		t.Error(err)
	}
	if err := renumber(system(t, "taken:x:999:999::/:/bin/sh\n"), "postgres", 999); err == nil || !strings.Contains(err.Error(), "taken already has the id 999") {
		t.Error(err)
	}
}
