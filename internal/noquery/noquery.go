// Package noquery keeps imported packages from querying the terminal while the program is being initialised.
//
// Bubble Tea queries the background colour of the terminal in an init function, before main runs, and for every command. A terminal that does not
// answer stalls the program for five seconds, and one that answers late prints its answer into the user's shell. Bubble Tea omits the query if the
// variable CI is set, so this package sets it, and [Restore] undoes that.
//
// The init function here runs first, because Go initialises packages in the order of their import paths as soon as their own imports are done. This
// package only imports os; Bubble Tea also needs os/signal, which needs os and sorts after this package.
package noquery

import "os"

const variable = "CI"

var was, set = os.LookupEnv(variable) //nolint:forbidigo // main runs after every init

// If this fails the terminal is queried, which is only slow.
func init() { _ = os.Setenv(variable, "true") }

// Restore restores the environment. Call it at the start of main.
func Restore() {
	if set {
		_ = os.Setenv(variable, was)
		return
	}
	_ = os.Unsetenv(variable)
}
