package pgtest

import (
	"context"
	"os"
	"path/filepath"
	"sync"
)

// templateData is the data folder that the chart's script initializes. The first server of a test binary makes it; the others copy it.
var templateData struct {
	sync.Mutex
	folder string
}

func (s *Server) fill(ctx context.Context) error {
	templateData.Lock()
	defer templateData.Unlock()
	mine := filepath.Join(s.folder, "main")
	if templateData.folder != "" {
		return s.copy(ctx, templateData.folder, mine)
	}
	if err := run(s.script(ctx, "init")); err != nil {
		return err
	}
	folder := s.folder + "-filled"
	if err := s.copy(ctx, mine, folder); err != nil {
		return err
	}
	templateData.folder = folder
	return nil
}

// copy keeps owner and modes, which the server checks.
func (s *Server) copy(ctx context.Context, from, to string) error {
	cmd := s.command(ctx, "cp", "-a", from, to)
	// Only root may write next to the folders of the server.
	cmd.SysProcAttr = nil
	return run(cmd)
}

func removeTemplate() {
	templateData.Lock()
	defer templateData.Unlock()
	_ = os.RemoveAll(templateData.folder)
	templateData.folder = ""
}
