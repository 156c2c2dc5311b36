package eventlog_test

import (
	"fmt"
	"testing"

	"github.com/dashfeed/dashfeed/eventlog"
)

// The numbers are Java's: (s.hashCode() & Integer.MAX_VALUE) % n.
func TestPartitionOf(t *testing.T) {
	for _, c := range []struct {
		dashboard string
		n, want   int
	}{
		{"", 1 << 30, 0},
		{"a/b", 1 << 30, (97*31+47)*31 + 98},
		{"flights", 8, int(uint32(javaHash("flights"))&0x7fffffff) % 8},
		{"polygenelubricants", 1000, 0}, // its hash is the smallest number: only the sign bit is set
		{"\U0001F600", 1 << 30, 0xD83D*31 + 0xDE00},
	} {
		if got := eventlog.PartitionOf(c.dashboard, c.n); got != c.want {
			t.Errorf("home of %s among %d: got %d, want %d", c.dashboard, c.n, got, c.want)
		}
	}
}

// Names as people choose them spread over the partitions. Java's hash is a poor one for names with
// consecutive numbers: with 64 partitions, the fullest has 2.3 times its fair share, whatever the
// prefix.
func TestPartitionsAreEven(t *testing.T) {
	const each = 100
	for _, format := range []string{"dashboard-%d", "shop.%d.orders", "%d", "team:%04d"} {
		for _, n := range []int{4, 8, 16, 64} {
			count := make([]int, n)
			for i := range each * n {
				count[eventlog.PartitionOf(fmt.Sprintf(format, i), n)]++
			}
			for p, got := range count {
				if 2*got > 5*each {
					t.Errorf("%d of %d names like %s lie in partition %d of %d", got, each*n, fmt.Sprintf(format, 7), p, n)
				}
			}
		}
	}
}

// javaHash is String.hashCode by its definition: the sum of s[i] * 31^(n-1-i), in 32 bits.
func javaHash(s string) (h int32) {
	power := int32(1)
	for i := len(s) - 1; i >= 0; i-- {
		h += int32(s[i]) * power
		power *= 31
	}
	return h
}
