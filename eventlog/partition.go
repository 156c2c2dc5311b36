package eventlog

import (
	"math"
	"unicode/utf16"
)

// PartitionOf is the home of a dashboard among n partitions: Java's String.hashCode of its name,
// without its sign bit, modulo n. Pulsar's Java client routes a message with that key so, unless it
// is told otherwise, and so does the Go client, which keeps the sign bit, where n is a power of
// two; every log does, so that all route alike. The tenant takes no part: a topic is one tenant's.
// Where tenants share partitions, those dashboards of theirs that have one name do, too.
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
