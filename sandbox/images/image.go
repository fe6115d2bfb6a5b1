// Package images has the catalog of every image that the sandbox runs, and finds, pulls or builds them.
//
// Every [Image] of the catalog ([All]) has a reference, which manifests use, optionally a reference to pull, and a [Recipe] that builds it from
// source without a container engine. A [Store] gets an image from the first place that has it:
//
//	catalog ──▶ Store.Get ──▶ 1. Cache     entry with the key of the recipe, the pull or a bundle
//	                          2. Registry  pull by digest of the machine's architecture
//	                          3. Recipe    debootstrap, go build, layers ──▶ image
//	                                │
//	                                ▼
//	                 Cache.Put (OCI layout on disk, shared layers)
//	                                │
//	                                ▼
//	                 WriteArchive ──▶ the engine or the node's containerd
//
// The Cache is content-addressed. The key of a built image is a hash of the recipe, its sources and the toolchain ([Key]), so a changed source file
// is a different image and an unchanged one is never built twice. Every blob is verified when it is read; damage is reported as [ErrCorrupt], and
// Renew makes the image again. [Cache.Save] and [Cache.Load] move images between machines as a bundle.
//
// A [Preparation] makes all images in the background, in the order in which `up` needs them ([Stage]), so that the first steps can start before the
// last image exists. The mode ([Auto], [Pull], [Source]) restricts where images may come from.
package images

import (
	"time"
)

// Stage says when an image is first needed. Images are prepared in this order.
type Stage int

// The stages, in the order in which they are needed.
const (
	ForCluster   Stage = iota // the node itself
	ForFirstCall              // what the first mutual-TLS call needs
	ForShop                   // what the rest of the shop needs
	ForViewing                // what only viewers need
)

// Image is one entry of the catalog.
type Image struct {
	// Ref is the name that manifests use, regardless of where the image comes from.
	Ref string
	// Purpose says in a few words what the image is for.
	Purpose string
	// Licence is the SPDX identifier of the licence of the main component.
	Licence string
	// Pull is where the image is pulled from. It is empty if the image can only be built.
	Pull string
	// Recipe is how the image is built. It is never nil.
	Recipe Recipe
	// Stage is when the image is first needed.
	Stage Stage
	// Typical is the duration of a cold build on two cores. It is shown next to the elapsed time.
	Typical time.Duration
}

// Origin says where an image came from.
type Origin string

// The origins, as `status -o json` prints them.
const (
	Present Origin = "present" // found in the cache
	Pulled  Origin = "pulled"
	Built   Origin = "built"
)

// Mode restricts where images may come from.
type Mode string

// The modes of `--images`.
const (
	Auto   Mode = "auto"   // cache, then registry, then source
	Pull   Mode = "pull"   // cache, then registry
	Source Mode = "source" // cache, then source
)
