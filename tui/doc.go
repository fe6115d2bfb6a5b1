// Package tui is the screen of `sandbox watch`: call rates, breakers, pods and the running scenario, as one Feed tells them.
package tui
