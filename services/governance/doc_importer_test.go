package governance

import (
	"bufio"
	"debug/buildinfo"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// linkedModules are the modules that a program with governance links, besides this one and gRPC. Each is a decision for every importer, so a new one is added here.
var linkedModules = []string{
	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go", "github.com/beorn7/perks", "github.com/bits-and-blooms/bitset", "github.com/cenkalti/backoff/v5", "github.com/cespare/xxhash/v2",
	"github.com/failsafe-go/failsafe-go", "github.com/go-logr/logr", "github.com/go-logr/stdr", "github.com/google/uuid",
	"github.com/grpc-ecosystem/grpc-gateway/v2", "github.com/grpc-sandbox/sandbox", "github.com/hashicorp/golang-lru/v2",
	"github.com/influxdata/tdigest", "github.com/munnerz/goautoneg", "github.com/pandatix/go-abnf", "github.com/prometheus/client_golang",
	"github.com/prometheus/client_model", "github.com/prometheus/common", "github.com/prometheus/procfs", "github.com/spiffe/go-spiffe/v2",
	"go.opentelemetry.io/auto/sdk", "go.opentelemetry.io/otel", "go.opentelemetry.io/otel/exporters/otlp/otlptrace",
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc", "go.opentelemetry.io/otel/log", "go.opentelemetry.io/otel/metric",
	"go.opentelemetry.io/otel/sdk", "go.opentelemetry.io/otel/trace", "go.opentelemetry.io/proto/otlp", "go.yaml.in/yaml/v3", "golang.org/x/net",
	"golang.org/x/sync", "golang.org/x/sys", "golang.org/x/text", "golang.org/x/time", "google.golang.org/genproto/googleapis/api",
	"google.golang.org/genproto/googleapis/rpc", "google.golang.org/grpc", "google.golang.org/protobuf",
}

// TestImporter_BuildsAndCalls builds the programs in examples as another module does, outside the repository, and lets one call the other.
func TestImporter_BuildsAndCalls(t *testing.T) {
	bin := buildExamples(t)
	for _, program := range []string{"server", "client"} {
		info, err := buildinfo.ReadFile(filepath.Join(bin, program))
		must(t, err)
		var got []string
		for _, m := range info.Deps {
			got = append(got, m.Path)
		}
		slices.Sort(got)
		if diff := cmp.Diff(linkedModules, got); diff != "" {
			t.Errorf("%s links (-expected +found):\n%s", program, diff)
		}
	}
	at, stop := startExample(t, filepath.Join(bin, "server"))
	answer, err := exec.CommandContext(t.Context(), filepath.Join(bin, "client"), at.Service).CombinedOutput()
	if err != nil || string(answer) != "hello\n" {
		t.Errorf("the client printed %q: %v", answer, err)
	}
	// The server governs the call: it has counted it.
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+at.Metrics+"/metrics", nil)
	must(t, err)
	req.Close = true
	metrics, err := http.DefaultClient.Do(req)
	must(t, err)
	defer func() { _ = metrics.Body.Close() }()
	text, err := io.ReadAll(metrics.Body)
	must(t, err)
	if want := `grpc_server_handled_total{grpc_code="OK",grpc_method="UnaryCall",grpc_service="grpc.testing.TestService",grpc_type="unary"} 1`; !strings.Contains(string(text), want) {
		t.Errorf("the server has no metric %s:\n%s", want, text)
	}
	stop()
}

// buildExamples builds the programs in a copy of the module, and returns the folder of the binaries.
func buildExamples(t *testing.T) (bin string) {
	t.Helper()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	must(t, err)
	module, bin := t.TempDir(), t.TempDir()
	must(t, os.CopyFS(module, os.DirFS(filepath.Join(root, "examples"))))
	for _, args := range [][]string{
		{"mod", "edit", "-replace=github.com/grpc-sandbox/sandbox=" + root},
		{"build", "-o", bin + string(filepath.Separator), "./..."},
	} {
		cmd := exec.CommandContext(t.Context(), "go", args...)
		cmd.Dir, cmd.Env = module, append(os.Environ(), "GOWORK=off")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("go %s: %v\n%s\ntry: go mod tidy, in examples", strings.Join(args, " "), err, out)
		}
	}
	return bin
}

// startExample starts the server on free ports. stop ends it as Ctrl-C does, and fails the test unless it drains and exits with 0.
func startExample(t *testing.T, program string) (at Addresses, stop func()) {
	t.Helper()
	server := exec.CommandContext(t.Context(), program)
	server.Env = append(os.Environ(), "LISTEN_ADDR=127.0.0.1:0", "METRICS_ADDR=127.0.0.1:0", "HEALTH_ADDR=off", "TLS_DIR=off", "DRAIN_DELAY=0s")
	stderr, err := server.StderrPipe()
	must(t, err)
	must(t, server.Start())
	lines := bufio.NewScanner(stderr)
	for at.Service == "" && lines.Scan() {
		var line struct{ Msg, Address, Metrics string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "serving" {
			at = Addresses{Service: line.Address, Metrics: line.Metrics}
		}
	}
	return at, func() {
		must(t, server.Process.Signal(os.Interrupt))
		for lines.Scan() {
			t.Log(lines.Text())
		}
		if err := server.Wait(); err != nil {
			t.Error("the server ended with", err)
		}
	}
}

// TestExamples_AreShort counts the statements of each program, without the handling of errors: ten are enough for all of governance.
func TestExamples_AreShort(t *testing.T) {
	for _, program := range []string{"server", "client"} {
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join("..", "..", "examples", program, "main.go"), nil, parser.SkipObjectResolution)
		must(t, err)
		statements := 0
		ast.Inspect(file, func(n ast.Node) bool {
			if method, ok := n.(*ast.FuncDecl); ok && method.Recv != nil {
				return false
			}
			if check, ok := n.(*ast.IfStmt); ok && isErrorCheck(check) {
				return false
			}
			if block, ok := n.(*ast.BlockStmt); ok {
				statements += len(block.List)
			}
			return true
		})
		if statements > 10 {
			t.Errorf("%s has %d statements, want at most 10", program, statements)
		}
	}
}

// isErrorCheck reports whether a statement is if err != nil.
func isErrorCheck(s *ast.IfStmt) bool {
	cond, ok := s.Cond.(*ast.BinaryExpr)
	if !ok || cond.Op != token.NEQ {
		return false
	}
	name, ok := cond.X.(*ast.Ident)
	return ok && name.Name == "err"
}
