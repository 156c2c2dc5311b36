package eventlog

import (
	"math"
	"unicode/utf16"
)

// PartitionOf returns the home of a dashboard among n partitions: Java's String.hashCode of its
// name without the sign bit, modulo n. Pulsar's Java client routes a message with that key in the
// same way by default. So does the Go client if n is a power of two; it keeps the sign bit. Every
// log does so, so that all route alike. The tenant does not matter, since a topic belongs to one
// tenant. If tenants share partitions, their dashboards with equal names share one, too.
func PartitionOf(dashboard string, n int) int {
	var h uint32
	for _, r := range dashboard {
		if r > math.MaxUint16 {
			high, low := utf16.EncodeRune(r)
			h, r = 31*h+uint32(high), low
		}
		h = 31*h + uint32(r)
	}
	return int(h&math.MaxInt32) % n
}
