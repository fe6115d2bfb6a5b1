//go:build !unix

package scenarios

import "os"

// lockFile does nothing where there is no flock: two runs at once are then the user's care.
func lockFile(*os.File) error { return nil }
