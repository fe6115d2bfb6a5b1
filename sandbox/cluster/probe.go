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

// probeImage holds one static program that does nothing.
const probeImage = "sandbox.local/probe:1"

const probeTimeout = 60 * time.Second

// Probe runs a real privileged container, with a network, with the engine: that an engine answers does not mean that it works.
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

// Choice is the engine that was chosen, and why not an earlier one.
type Choice struct {
	Engine Engine
	Why    string // empty when the first engine works
}

// Choose returns the first engine that works, or the forced one when it does.
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

// why says what was wrong with the engines before the chosen one; one that is not installed is not worth a word.
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
