package release

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
)

// CertManagerChart returns cert-manager's own chart. It is read from cert-manager's module, whose checksum this project's recipes pin, and kept in
// cacheDir for machines without a module proxy.
func CertManagerChart(ctx context.Context, cacheDir, sourceTree, version string) (*chart.Chart, error) {
	file := ChartFile(cacheDir, version)
	c, err := loader.LoadFile(file)
	if err == nil {
		return c, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		// The file was truncated by a kill.
		if err := os.Remove(file); err != nil {
			return nil, fmt.Errorf("removing a damaged chart: %w", err)
		}
	}
	if sourceTree == "" {
		return nil, remedy.New("loading cert-manager's chart: not cached, and fetching it needs a checkout of this project",
			remedy.Advice("run from the project's folder, or name it with --source"))
	}
	dir, err := moduleFolder(ctx, filepath.Join(sourceTree, "sandbox/images/recipes/certmanager"), "github.com/cert-manager/cert-manager")
	if err != nil {
		return nil, fmt.Errorf("loading cert-manager's chart: %w", err)
	}
	c, err = loader.LoadDir(filepath.Join(dir, "deploy/charts/cert-manager"))
	if err != nil {
		return nil, fmt.Errorf("loading cert-manager's chart: %w", err)
	}
	// The module contains placeholders.
	c.Metadata.Version, c.Metadata.AppVersion = version, version
	return c, keep(c, file)
}

// ChartFile returns the path under which cert-manager's chart is cached.
func ChartFile(cacheDir, version string) string {
	return filepath.Join(cacheDir, "charts", "cert-manager-"+version+".tgz")
}

// keep writes a chart atomically.
func keep(c *chart.Chart, file string) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	scratch, err := os.MkdirTemp(filepath.Dir(file), ".new-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	saved, err := chartutil.Save(c, scratch)
	if err != nil {
		return fmt.Errorf("caching chart %s: %w", c.Name(), err)
	}
	return os.Rename(saved, file)
}

// moduleFolder returns the folder in which the Go toolchain keeps a module, at the version that the go.mod in dir pins. It downloads the module if
// necessary.
func moduleFolder(ctx context.Context, dir, module string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "mod", "download", "-json", module)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "GOWORK=off")
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("downloading module %s: %w: %s", module, err, out)
	}
	var found struct{ Dir string }
	if err := json.Unmarshal(out, &found); err != nil {
		return "", fmt.Errorf("downloading module %s: %w", module, err)
	}
	return found.Dir, nil
}
