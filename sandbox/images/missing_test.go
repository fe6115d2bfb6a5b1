package images

import (
	"testing"
)

func TestMissingError_SetupDoesNotInstallGo(t *testing.T) {
	wantError(t, &MissingError{Program: "go"}, nil, "needs go", "\ntry: install Go from https://go.dev/dl")
}
