// Package images knows every image the sandbox runs, and finds, pulls or builds it.
package images

import (
	"time"
)

// Stage says when an image is first needed; images are prepared in this order.
type Stage int

// The stages, in order of need.
const (
	ForCluster   Stage = iota // the node itself
	ForFirstCall              // what the first mutual-TLS call waits for
	ForShop                   // what the rest of the shop waits for
	ForViewing                // what only a viewer waits for
)

// Image is one entry of the catalog.
type Image struct {
	Ref     string // the name that manifests use, whichever way the image came to be
	Purpose string
	Licence string        // SPDX identifier of what the image mostly is
	Pull    string        // where it is pulled from; empty when it exists only as source
	Recipe  Recipe        // how it is built; never nil
	Stage   Stage         // when it is needed
	Typical time.Duration // a cold build on two cores, shown beside the time elapsed
}

// Origin is how an image came to be.
type Origin string

// The origins, as `status -o json` prints them.
const (
	Present Origin = "present" // found in the cache
	Pulled  Origin = "pulled"
	Built   Origin = "built"
)

// Mode restricts how images may come to be.
type Mode string

// The modes of `--images`.
const (
	Auto   Mode = "auto"   // cache, then registry, then source
	Pull   Mode = "pull"   // cache, then registry
	Source Mode = "source" // cache, then source
)
