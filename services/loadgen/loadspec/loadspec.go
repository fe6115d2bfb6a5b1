// Package loadspec defines which loads are valid: their rates and their request templates. The load generator and its clients share these rules.
package loadspec

import "fmt"

// MinRate and MaxRate limit the rate that one process can send, in calls per second. A rate of 0 pauses a load.
const (
	MinRate = 0.001
	MaxRate = 20000
)

// The loads that a generator runs by itself.
const (
	Background       = "background"
	BackgroundMethod = "user.v1.UserService/GetUser"
	// BackgroundOrders starts when its target can be reached for the first time.
	BackgroundOrders       = "background-orders"
	BackgroundOrdersMethod = "order.v1.OrderService/CreateOrder"
)

// CheckRate returns an error for a rate that a generator cannot send.
func CheckRate(rate float64) error {
	// NaN fails both comparisons.
	if rate == 0 || (rate >= MinRate && rate <= MaxRate) {
		return nil
	}
	return fmt.Errorf("a rate of %v/s is neither 0 nor from %v to %v", rate, MinRate, MaxRate)
}
