// Package loadspec says what a load may be: its rates and its templates. The load generator and whoever asks it for a load check by the same rules.
package loadspec

import "fmt"

// What one process can be asked for, in calls per second; 0 pauses.
const (
	MinRate = 0.001
	MaxRate = 20000
)

// The load that a generator runs from start-up.
const (
	Background       = "background"
	BackgroundMethod = "user.v1.UserService/GetUser"
)

// CheckRate refuses a rate that a generator does not send.
func CheckRate(rate float64) error {
	if rate == 0 || (rate >= MinRate && rate <= MaxRate) { // never true of NaN
		return nil
	}
	return fmt.Errorf("a rate of %v/s is neither 0 nor from %v to %v", rate, MinRate, MaxRate)
}
