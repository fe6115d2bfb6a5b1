// Command gateway is the agent of the front gateway, which runs nginx. With the argument install DIR it copies itself into a folder and ends, so
// that the image of nginx can run it.
package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/grpc-sandbox/sandbox/services/gateway"
)

func main() {
	if len(os.Args) == 3 && os.Args[1] == "install" {
		if err := install(os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, "gateway:", err)
			os.Exit(1)
		}
		return
	}
	os.Exit(gateway.Main(os.Stderr, os.Getenv))
}

// install copies this program into a folder.
func install(folder string) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("finding this program: %w", err)
	}
	from, err := os.Open(self)
	if err != nil {
		return fmt.Errorf("copying this program: %w", err)
	}
	defer func() { _ = from.Close() }()
	to, err := os.OpenFile(filepath.Join(folder, "gateway"), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o755) //nolint:gosec // a program is executable
	if err != nil {
		return fmt.Errorf("copying this program: %w", err)
	}
	if _, err := io.Copy(to, from); err != nil {
		return fmt.Errorf("copying this program: %w", err)
	}
	return to.Close()
}
