// Package knownfailures lists the defects that a test reproduces and that are not fixed yet.
//
// A test in the table calls Listed first, which skips it. Check, called by one test of each package, runs the listed tests of the package in
// child processes of the same test binary and fails if one of them passes: a fix removes the row and the call of Listed, and from then on the
// test must pass like any other. The number of rows is pinned, so the table can only shrink.
package knownfailures
