// Package e2e tests the built command on a dedicated real cluster. The tests have the build tag e2e.
package e2e
