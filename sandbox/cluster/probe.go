package cluster

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
)

// probeImage contains one static program that does nothing.
const probeImage = "sandbox.local/probe:1"

const probeTimeout = 60 * time.Second

// Probe runs a privileged container with a network. An engine that answers may still be unable to run one.
func (e Engine) Probe(ctx context.Context) error {
	if _, err := exec.LookPath(e.Name); err != nil {
		return fmt.Errorf("%s is not installed", e.Name)
	}
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	program, err := exitProgram()
	if err != nil {
		return err
	}
	var archive bytes.Buffer
	tw := tar.NewWriter(&archive)
	if err := tw.WriteHeader(&tar.Header{Name: "probe", Mode: 0o755, Size: int64(len(program))}); err != nil {
		return err
	}
	if _, err := tw.Write(program); err != nil {
		return err
	}
	if err := tw.Close(); err != nil {
		return err
	}
	if _, err := e.RunWith(ctx, &archive, "import", "-", probeImage); err != nil {
		return err
	}
	defer func() {
		clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanLimit)
		defer cancel()
		_, _ = e.Run(clean, "rmi", "-f", probeImage)
	}()
	args := append([]string{"run", "--rm", "--privileged", "--network=bridge"}, e.userNamespace(ctx)...)
	_, err = e.Run(ctx, append(args, probeImage, "/probe")...)
	return err
}

// Choice is the engine that was chosen, and why earlier ones were not.
type Choice struct {
	// Engine is the first engine that works.
	Engine Engine
	// Why is empty if the first engine works.
	Why string
}

// Choose returns the first engine that works. If forced is not empty, only that engine is tried.
func Choose(ctx context.Context, forced string, probe func(context.Context, Engine) error) (Choice, error) {
	names := engineNames
	if forced != "" {
		names = []string{forced}
	}
	var refusals []string
	var remedies []remedy.Remedy
	for _, n := range names {
		e := Engine{Name: n}
		err := probe(ctx, e)
		if err == nil {
			return Choice{Engine: e, Why: why(refusals, n)}, nil
		}
		if ctx.Err() != nil {
			return Choice{}, ctx.Err()
		}
		refusals = append(refusals, oneLine(n, err))
		remedies = append(remedies, remedy.Of(err)...)
	}
	return Choice{}, remedy.Wrap(fmt.Errorf("%w: %s", ErrNoEngine, strings.Join(refusals, "; ")), remedies...)
}

// why describes the problems of the engines before the chosen one. Engines that are not installed are left out.
func why(refusals []string, chosen string) string {
	var worth []string
	for _, r := range refusals {
		if !strings.HasSuffix(r, "is not installed") {
			worth = append(worth, r)
		}
	}
	if len(worth) == 0 {
		return ""
	}
	return "using " + chosen + ", because " + strings.Join(worth, "; ")
}

func oneLine(name string, err error) string {
	var c *commandError
	if errors.As(err, &c) && c.said != "" {
		lines := strings.Split(c.said, "\n")
		return name + " cannot run a privileged container (" + lines[len(lines)-1] + ")"
	}
	return strings.ReplaceAll(err.Error(), "\n", " ")
}
