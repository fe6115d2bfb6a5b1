package release

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"

	"github.com/grpc-sandbox/sandbox/charts"
	"github.com/grpc-sandbox/sandbox/internal/remedy"
)

// UpstreamChart returns a chart that is not ours. It is read from its module, whose checksum this project pins, and kept in cacheDir for machines
// without a module proxy. The source tree is a checkout of this project; it may be empty if the chart is cached.
func UpstreamChart(ctx context.Context, cacheDir, sourceTree string, from charts.Upstream) (*chart.Chart, error) {
	file := ChartFile(cacheDir, from)
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
		return nil, remedy.New("loading the chart "+nameOf(from)+": not cached, and fetching it needs a checkout of this project",
			remedy.Advice("run from the project's folder, or name it with --source"))
	}
	dir, err := moduleFolder(ctx, filepath.Join(sourceTree, from.Pinned), from.Module)
	if err != nil {
		return nil, fmt.Errorf("loading the chart %s: %w", nameOf(from), err)
	}
	c, err = loader.LoadDir(filepath.Join(dir, from.Folder))
	if err != nil {
		return nil, fmt.Errorf("loading the chart %s: %w", nameOf(from), err)
	}
	c.Metadata.Version, c.Metadata.AppVersion = from.Version, from.Version
	return c, keep(c, file)
}

// ChartFile returns the path under which an upstream chart is cached.
func ChartFile(cacheDir string, from charts.Upstream) string {
	return filepath.Join(cacheDir, "charts", nameOf(from)+"-"+from.Version+".tgz")
}

func nameOf(from charts.Upstream) string { return path.Base(from.Folder) }

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
