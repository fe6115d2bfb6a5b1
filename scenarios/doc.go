// Package scenarios reads scenario files, runs them against a Target, and says with numbers whether the callers noticed.
package scenarios
