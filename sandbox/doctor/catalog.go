package doctor

import "slices"

// All returns the checks in an order in which one defect explains the next.
func All() []Check {
	return slices.Concat(engineChecks(), kernelChecks(), resourceChecks(), networkChecks(), sourceChecks(), fileChecks(),
		clusterChecks(), certificateChecks(), platformChecks())
}
