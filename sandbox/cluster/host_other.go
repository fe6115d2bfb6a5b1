//go:build !linux

package cluster

import "errors"

// InspectHost returns the zero value: Docker Desktop runs containers in a Linux machine of its own, which needs no special settings.
func InspectHost() (Host, error) { return Host{}, nil }

// maxFiles is not needed, because InspectHost reports a machine that needs no settings for podman.
func maxFiles() (uint64, error) { return 0, errors.ErrUnsupported }
