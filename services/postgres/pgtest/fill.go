package pgtest

import (
	"context"
	"os"
	"path/filepath"
	"sync"
)

// filled is the data folder that the chart's script makes. The first server of a package's tests waits for it, the others copy it.
var filled struct {
	sync.Mutex
	folder string
}

func (s *Server) fill(ctx context.Context) error {
	filled.Lock()
	defer filled.Unlock()
	mine := filepath.Join(s.folder, "main")
	if filled.folder != "" {
		return s.copy(ctx, filled.folder, mine)
	}
	if err := run(s.script(ctx, "init")); err != nil {
		return err
	}
	folder := s.folder + "-filled"
	if err := s.copy(ctx, mine, folder); err != nil {
		return err
	}
	filled.folder = folder
	return nil
}

// copy keeps owner and modes, as the server wants them.
func (s *Server) copy(ctx context.Context, from, to string) error {
	cmd := s.command(ctx, "cp", "-a", from, to)
	cmd.SysProcAttr = nil // only root may write beside the folders
	return run(cmd)
}

func forgetFilled() {
	filled.Lock()
	defer filled.Unlock()
	_ = os.RemoveAll(filled.folder)
	filled.folder = ""
}
