package descriptors

import (
	"io/fs"
	"os"
	"strings"
	"testing"
)

func TestFiles_EveryProtoIsIncluded(t *testing.T) {
	protos := os.DirFS("../proto")
	found := 0
	err := fs.WalkDir(protos, ".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".proto") {
			return err
		}
		found++
		if _, err := Files().FindFileByPath(path); err != nil {
			t.Errorf("%v; run `task generate`", err)
		}
		return nil
	})
	if err != nil || found == 0 {
		t.Errorf("%d protos, %v", found, err)
	}
}

func TestServices_UnknownProto(t *testing.T) {
	got, err := Services("user/v1/user.proto")
	if err != nil || len(got) != 1 || got[0].FullName() != "user.v1.UserService" || got[0].Methods().ByName("GetUser") == nil {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := Services("user/v1/nothing.proto"); err == nil || !strings.Contains(err.Error(), "services/proto/user/v1/nothing.proto") {
		t.Errorf("a proto that does not exist: %v", err)
	}
}
