//go:build !race

package knownfailures

const race = false
