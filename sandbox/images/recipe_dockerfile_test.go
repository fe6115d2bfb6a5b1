package images

import (
	"archive/tar"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/grpc-sandbox/sandbox/services/governance"
)

// TestDockerfile_MatchesTheRecipes compares the result of services/Dockerfile for each of our programs with the result of the program's recipe.
func TestDockerfile_MatchesTheRecipes(t *testing.T) {
	text, err := os.ReadFile("../../services/Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	programs := 0
	for _, i := range All() {
		p, ok := i.Recipe.(Program)
		if !ok || p.Binary.Module != "" {
			continue
		}
		programs++
		t.Run(p.Binary.Name(), func(t *testing.T) {
			if diff := difference(t, string(text), p); diff != "" {
				t.Errorf("the recipe (-) and services/Dockerfile (+) differ:\n%s", diff)
			}
		})
	}
	if programs == 0 {
		t.Error("the catalog has none of our programs")
	}
}

// TestDockerfile_FindsDifferences changes the Dockerfile and expects the comparison to fail.
func TestDockerfile_FindsDifferences(t *testing.T) {
	whole, err := os.ReadFile("../../services/Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	image, _ := Find(serviceRef("userservice"))
	recipe := image.Recipe.(Program)
	for _, c := range []struct{ sentence, old, new, names string }{
		{"another toolchain", "GO_VERSION=1.26", "GO_VERSION=1.25", "1.25"},
		{"cgo", "CGO_ENABLED=0", "CGO_ENABLED=1", "CGO_ENABLED=1"},
		{"another platform", "GOWORK=off go build", "GOWORK=off GOOS=freebsd go build", "GOOS=freebsd"},
		{"version control in the binary", "GOFLAGS=-buildvcs=false", "GOFLAGS=", "GOFLAGS="},
		{"a workspace", " GOWORK=off", "", "GOWORK=off"},
		{"paths in the binary", "-trimpath ", "", "-trimpath"},
		{"symbols in the binary", `"-s -w"`, `"-s"`, "-s -w"},
		{"tags", "go build ", "go build -tags debug ", "debug"},
		{"another package", `"./cmd/${SERVICE}"`, `"./cmd/loadgen"`, "./cmd/loadgen"},
		{"one source too few", "COPY services services", "COPY services/user services/user", "services/user"},
		{"one source too many", "COPY services services", "COPY services services\nCOPY charts charts", "charts"},
		{"all sources", "COPY services services", "COPY . .", `"."`},
		{"no certificates", " && \\\n    install -D -m 644 /etc/ssl/certs/ca-certificates.crt /out/etc/ssl/certs/ca-certificates.crt", "", "ca-certificates.crt"},
		{"one file too many", "RUN mkdir", "RUN mkdir -m 755 /out/x && mkdir", `"/x"`},
		{"certificates elsewhere", "/out/etc/ssl/certs/ca-certificates.crt", "/out/etc/ca.crt", "/etc/ca.crt"},
		{"certificates that are not readable", "-m 644", "-m 600", "ca-certificates.crt"},
		{"no world-writable /tmp", "-m 1777", "-m 755", "1777"},
		{"root", "USER 65532:65532\n", "", "65532"},
		{"another group", "USER 65532:65532", "USER 65532:0", "65532:0"},
		{"another entrypoint", `["/service"]`, `["/bin/sh"]`, "/bin/sh"},
		{"an argument", `["/service"]`, `["/service","-v"]`, "-v"},
		{"another path for programs", "ENV PATH=/", "ENV PATH=/bin", "PATH=/bin"},
		{"another folder", "WORKDIR /\n", "WORKDIR /tmp\n", "/tmp"},
		{"one port too few", "EXPOSE 8443 8081", "EXPOSE 8443", "8081"},
		{"another base", "FROM scratch", "FROM debian", "is no base of ours"},
		{"a label", "ENV PATH=/", "ENV PATH=/\nLABEL a=b", "LABEL a=b: is not understood"},
		{"another command", "RUN mkdir", "RUN strip /out/service && mkdir", "is not understood"},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			changed := strings.Replace(string(whole), c.old, c.new, 1)
			if changed == string(whole) {
				t.Fatalf("services/Dockerfile has no %q", c.old)
			}
			if diff := difference(t, changed, recipe); !strings.Contains(diff, c.names) {
				t.Errorf("the difference must name %q, got %q", c.names, diff)
			}
		})
	}
}

func difference(t *testing.T, text string, p Program) string {
	t.Helper()
	got, err := readDockerfile(text, map[string]string{"SERVICE": p.Binary.Name()})
	if err != nil {
		return err.Error()
	}
	return cmp.Diff(contentsOf(t, p), got)
}

// contentsOf runs a recipe with a compiler that records its arguments.
func contentsOf(t *testing.T, p Program) contents {
	t.Helper()
	c := contents{Go: minorOfGo(t), Sources: p.Binary.files(), Files: map[string]string{}}
	w := &Workshop{SourceTree: "../..", Scratch: t.TempDir(), Doing: func(string) {}}
	noted := noteGo(t)
	image, err := p.Build(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	args, env := noted()
	at := slices.Index(args, "-o")
	c.Build, c.Env = pathless(args, args[at+1]), env
	file, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	c.Config = file.Config
	c.Config.Entrypoint = pathless(c.Config.Entrypoint, "/"+p.Binary.Name())
	c.Config.ExposedPorts = portsOf(t)
	layer, err := mustLayers(t, image)[0].Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer layer.Close()
	for _, h := range headers(t, layer) {
		name, what := "/"+strings.TrimSuffix(h.Name, "/"), fmt.Sprintf("%o", h.Mode)
		switch {
		case h.Name == p.Binary.Name():
			name = theProgram
		case h.Type == tar.TypeReg:
			// It comes from the same path on the machine.
			what += " " + name
		}
		c.Files[name] = what
	}
	return c
}

// noteGo puts a compiler into PATH that compiles nothing. noted returns its arguments, and the variables that its environment has in addition to
// this process's.
func noteGo(t *testing.T) (noted func() (args, env []string)) {
	t.Helper()
	dir := t.TempDir()
	script := fmt.Sprintf("#!/bin/sh\nprintf '%%s\\n' \"$@\" > '%s/args'\nenv > '%s/env'\n", dir, dir) +
		"while [ \"$1\" != -o ]; do shift; done\n: > \"$2\"\n"
	write(t, filepath.Join(dir, "go"), script)
	if err := os.Chmod(filepath.Join(dir, "go"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	return func() (args, env []string) {
		lines := func(name string) []string {
			data, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			return strings.Split(strings.TrimSpace(string(data)), "\n")
		}
		for _, variable := range lines("env") {
			name, _, _ := strings.Cut(variable, "=")
			// The shell sets the variables in this list itself.
			if !slices.Contains(os.Environ(), variable) && !slices.Contains([]string{"PWD", "OLDPWD", "SHLVL", "_"}, name) {
				env = append(env, variable)
			}
		}
		slices.Sort(env)
		return lines("args"), env
	}
}

// minorOfGo returns the Go version that go.mod requires.
func minorOfGo(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindSubmatch(text)
	if found == nil {
		t.Fatal("go.mod asks for no version of Go")
	}
	return string(found[1])
}

// portsOf returns the ports on which a program listens by default.
func portsOf(t *testing.T) map[string]struct{} {
	t.Helper()
	cfg, err := governance.ConfigFromEnv("x", func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	ports := map[string]struct{}{}
	for _, address := range []string{cfg.ListenAddr, cfg.HealthAddr, cfg.MetricsAddr} {
		_, port, err := net.SplitHostPort(address)
		if err != nil {
			t.Fatal(err)
		}
		ports[port+"/tcp"] = struct{}{}
	}
	return ports
}
