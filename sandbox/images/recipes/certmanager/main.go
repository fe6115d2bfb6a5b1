// Command certmanager is cert-manager's controller, webhook and cainjector in one binary, for the CA and self-signed issuers.
//
// The upstream commands are nested modules that a module proxy does not serve, so this main assembles the same packages.
// Its module path lies below cert-manager's own because it needs cert-manager's internal webhook package.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	ctrl "sigs.k8s.io/controller-runtime"

	logf "github.com/cert-manager/cert-manager/pkg/logs"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	log := funcr.New(func(prefix, args string) { fmt.Fprintln(os.Stderr, prefix, args) }, funcr.Options{})
	ctrl.SetLogger(log)
	if err := run(logf.NewContext(ctx, log), log, os.Args[1:], os.Getenv("POD_NAMESPACE")); err != nil {
		log.Error(err, "stopping")
		os.Exit(1)
	}
}

// run starts the part named by the first argument. The flags that the upstream chart adds behind it are accepted and unused.
func run(ctx context.Context, log logr.Logger, args []string, namespace string) error {
	if len(args) == 0 {
		return fmt.Errorf("naming a part: want controller, webhook or cainjector")
	}
	switch args[0] {
	case "controller":
		return runController(ctx, namespace)
	case "webhook":
		return runWebhook(ctx, log, namespace)
	case "cainjector":
		return runInjector(ctx)
	}
	return fmt.Errorf("naming a part: %q is none of controller, webhook, cainjector", args[0])
}
