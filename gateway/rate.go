package gateway

import (
	"time"

	"github.com/dashfeed/dashfeed/messages/wire"
)

// rates holds the classes that maxRate is rounded down to, frames a second.
var rates = []float64{100, 50, 20, 10, 5, 2, 1, 0.5, 0.2}

// rateClass rounds a maxRate down to its class. 0 means every flush.
func rateClass(maxRate float64) (float64, error) {
	if maxRate == 0 {
		return 0, nil
	}
	for _, r := range rates {
		if maxRate >= r {
			return r, nil
		}
	}
	return 0, wire.Errorf(wire.CodeBadOption, "maxRate %v is not allowed: 0, or at least 0.2 frames a second", maxRate)
}

// interval returns the least time between two frames of a class.
func interval(rate float64) time.Duration {
	if rate == 0 {
		return 0
	}
	return time.Duration(float64(time.Second) / rate)
}
