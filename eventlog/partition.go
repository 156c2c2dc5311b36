package eventlog

import (
	"math"
	"unicode/utf16"

	"github.com/dashfeed/dashfeed/messages"
)

// PartitionOf is the home of a dashboard among n partitions: Java's String.hashCode of tenant/dashboard, without its
// sign bit, modulo n. Pulsar's Java and Go clients route a message key so; every log does, so that all route alike.
func PartitionOf(k messages.Key, n int) int {
	h := hashCode(31*hashCode(0, k.Tenant)+'/', k.Dashboard)
	return int(h&math.MaxInt32) % n
}

// hashCode goes on with a hash over the UTF-16 units of s.
func hashCode(h uint32, s string) uint32 {
	for _, r := range s {
		if r > math.MaxUint16 {
			high, low := utf16.EncodeRune(r)
			h, r = 31*h+uint32(high), low
		}
		h = 31*h + uint32(r)
	}
	return h
}
