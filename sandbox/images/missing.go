package images

import "github.com/grpc-sandbox/sandbox/internal/remedy"

// MissingError says that building an image needs a program that is not installed. Program is the name of its executable.
type MissingError struct{ Program string }

// Error names the program.
func (e *MissingError) Error() string {
	return "building it needs " + e.Program + ", which is not in PATH"
}

// Remedies returns what installs the program. Go is not installed by the set-up, because the packages of most distributions are too old to fetch a
// newer toolchain.
func (e *MissingError) Remedies() []remedy.Remedy {
	if e.Program == "go" {
		return []remedy.Remedy{remedy.Advice("install Go from https://go.dev/dl")}
	}
	return []remedy.Remedy{remedy.Command("up", "--setup")}
}

// LinuxError says that an image cannot be built on this system. System is the operating system, as in runtime.GOOS.
type LinuxError struct{ System string }

// Error names the system of this machine.
func (e *LinuxError) Error() string {
	return "building it from source needs Linux, and this is " + e.System
}

// Remedies returns the other sources of an image.
func (e *LinuxError) Remedies() []remedy.Remedy {
	return []remedy.Remedy{remedy.Command("up", "--images", "pull"), remedy.Command("up", "--bundle", "FILE").If("sandbox images save wrote FILE on Linux")}
}
