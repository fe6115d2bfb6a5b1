// Package kindnode pins the kind release whose node files the node image is made from; it has no code.
package kindnode
