// Package noquery keeps imported packages from querying the terminal while the program is being initialised.
//
// Bubble Tea asks the terminal for its background colour in an init function, before main runs and whatever the command is. A terminal that does
// not answer stalls the program for five seconds, and one that answers late prints its answer into the user's shell.
// The query is left out where the variable CI is set, so this package sets it, and [Restore] undoes that.
//
// The init function here runs first, because Go initialises packages in the order of their import paths as soon as their own imports are done.
// This package only imports os; Bubble Tea also needs os/signal, which needs os and sorts after this package.
package noquery

import "os"

const variable = "CI"

var was, set = os.LookupEnv(variable) //nolint:forbidigo // main runs after every init

func init() { _ = os.Setenv(variable, "true") } // on failure the terminal is asked, which is only slow

// Restore puts the environment back. It belongs at the start of main.
func Restore() {
	if set {
		_ = os.Setenv(variable, was)
		return
	}
	_ = os.Unsetenv(variable)
}
