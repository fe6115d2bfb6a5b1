package kube

import (
	"path/filepath"
	"testing"

	"github.com/grpc-sandbox/sandbox/sandbox/fixture"
)

func TestConnect_ErrorNamesTheFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "kubeconfig")
	_, err := Connect(file)
	fixture.WantError(t, err, "reading "+file)
}
