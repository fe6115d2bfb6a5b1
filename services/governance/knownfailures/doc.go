// Package knownfailures keeps the table of defects that are reproduced by a test and not fixed yet.
//
// A test in the table starts with Listed, which skips it. Check, called by one test of each package, runs the listed tests of that package in child
// processes of the same test binary and fails when one of them passes: a fix removes the row and the call of Listed, and from then
// on the test has to pass like any other. The number of rows is pinned, so the table can only shrink.
package knownfailures
