package main

import (
	"context"
	"fmt"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/grpc-sandbox/sandbox/sandbox"
)

// exportKubeconfig merges the sandbox's kubeconfig into the user's own, without changing the user's current context.
func exportKubeconfig(_ context.Context, f sandbox.Folders, name string, w world) error {
	own, err := clientcmd.LoadFromFile(f.Kubeconfig(name))
	if err != nil {
		return fmt.Errorf("exporting the kubeconfig: %w", err)
	}
	paths := clientcmd.NewDefaultPathOptions()
	users, err := paths.GetStartingConfig()
	if err != nil {
		return fmt.Errorf("exporting the kubeconfig: %w", err)
	}
	for k, v := range own.Clusters {
		users.Clusters[k] = v
	}
	for k, v := range own.AuthInfos {
		users.AuthInfos[k] = v
	}
	for k, v := range own.Contexts {
		users.Contexts[k] = v
	}
	if users.CurrentContext == "" {
		users.CurrentContext = own.CurrentContext
	}
	if err := clientcmd.ModifyConfig(paths, *users, true); err != nil {
		return fmt.Errorf("exporting the kubeconfig: %w", err)
	}
	fmt.Fprintf(w.stderr, "kubectl: context %s is in %s\n", own.CurrentContext, paths.GetDefaultFilename())
	return nil
}
