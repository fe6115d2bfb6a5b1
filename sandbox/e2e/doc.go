// Package e2e tests the built command on a real cluster of its own name; its tests have the build tag e2e.
package e2e
