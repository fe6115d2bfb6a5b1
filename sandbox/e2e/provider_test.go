//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/e2e-framework/klient"
	"sigs.k8s.io/e2e-framework/support"

	"github.com/grpc-sandbox/sandbox/sandbox"
)

// provider makes clusters for e2e-framework by the command under test: Create is `sandbox up`, Destroy is `sandbox down`.
// The command supports one Kubernetes version and no custom cluster configuration, so WithVersion and CreateWithConfig return errors.
type provider struct {
	binary, name string
	// dir is the working directory of the command; empty for that of the test.
	dir string
	// env is added to the environment of the test.
	env []string
	// refused is the error for an unsupported option, which Create returns.
	refused error
}

var _ support.E2EClusterProvider = (*provider)(nil)

func (p *provider) SetDefaults() support.E2EClusterProvider { return p }

func (p *provider) WithName(name string) support.E2EClusterProvider {
	p.name = name
	return p
}

func (p *provider) WithPath(path string) support.E2EClusterProvider {
	p.binary = path
	return p
}

func (p *provider) WithVersion(version string) support.E2EClusterProvider {
	p.refused = fmt.Errorf("sandbox has one version of Kubernetes, so not %s", version)
	return p
}

func (p *provider) WithOpts(opts ...support.ClusterOpts) support.E2EClusterProvider {
	for _, o := range opts {
		o(p)
	}
	return p
}

// Create brings the sandbox up and returns its kubeconfig; args are arguments of `up`.
func (p *provider) Create(ctx context.Context, args ...string) (string, error) {
	if p.refused != nil {
		return "", p.refused
	}
	if err := p.must(ctx, append([]string{"up"}, args...)...); err != nil {
		return "", err
	}
	return p.GetKubeconfig(), nil
}

func (p *provider) CreateWithConfig(context.Context, string) (string, error) {
	return "", errors.New("sandbox takes no cluster config of kind's")
}

func (p *provider) Destroy(ctx context.Context) error { return p.must(ctx, "down") }

func (p *provider) GetKubeconfig() string {
	config := os.Getenv("XDG_CONFIG_HOME")
	if config == "" {
		config = filepath.Join(os.Getenv("HOME"), ".config")
	}
	return filepath.Join(config, "sandbox", p.name, "kubeconfig")
}

func (p *provider) GenerateKubeconfig(...string) (string, error) { return p.GetKubeconfig(), nil }

func (p *provider) GetKubectlContext() string { return "kind-" + p.name }

// ExportLogs writes the log of every release to its own file in the folder dest.
func (p *provider) ExportLogs(ctx context.Context, dest string) error {
	for _, r := range sandbox.Releases() {
		out, code, err := p.run(ctx, "logs", r.Name, "--lines", "1000")
		if err != nil || code != 0 {
			return fmt.Errorf("reading the log of %s: %d, %w", r.Name, code, err)
		}
		if err := os.WriteFile(filepath.Join(dest, r.Name+".log"), []byte(out), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// WaitForControlPlane asks the API server for its readiness; `up` has waited for it.
func (p *provider) WaitForControlPlane(ctx context.Context, c klient.Client) error {
	k, err := kubernetes.NewForConfig(c.RESTConfig())
	if err != nil {
		return err
	}
	return k.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
}

func (p *provider) KubernetesRestConfig() *rest.Config {
	config, err := clientcmd.BuildConfigFromFlags("", p.GetKubeconfig())
	if err != nil {
		return nil
	}
	return config
}

// must runs the command and returns an error unless its exit code is 0.
func (p *provider) must(ctx context.Context, args ...string) error {
	_, code, err := p.run(ctx, args...)
	switch {
	case err != nil:
		return fmt.Errorf("running sandbox %v: %w", args, err)
	case code != 0:
		return fmt.Errorf("sandbox %v ended with exit code %d", args, code)
	}
	return nil
}

// run runs the command on the provider's sandbox. Standard error goes to the log of the test.
func (p *provider) run(ctx context.Context, args ...string) (stdout string, code int, err error) {
	cmd := p.command(ctx, args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, os.Stderr
	err = cmd.Run()
	code, err = exitCode(err)
	return out.String(), code, err
}

func (p *provider) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, p.binary, append([]string{"--name", p.name}, args...)...)
	cmd.Dir = p.dir
	cmd.Env = append(os.Environ(), p.env...)
	return cmd
}

func exitCode(err error) (int, error) {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode(), nil
	}
	return 0, err
}
