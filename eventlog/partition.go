package eventlog

import (
	"math"
	"unicode/utf16"

	"github.com/dashfeed/dashfeed/messages"
)

// PartitionOf is the home of a dashboard among n partitions: Java's String.hashCode of tenant/dashboard, without its
// sign bit, modulo n. Pulsar's Java and Go clients route a message key so; every log does, so that all route alike.
func PartitionOf(k messages.Key, n int) int {
	var h uint32
	for _, r := range k.String() {
		if r > math.MaxUint16 {
			high, low := utf16.EncodeRune(r)
			h = 31*h + uint32(high)
			r = low
		}
		h = 31*h + uint32(r)
	}
	return int(h&math.MaxInt32) % n
}
