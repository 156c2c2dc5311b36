package eventlog_test

import (
	"testing"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/messages"
)

// The numbers are Java's: (s.hashCode() & Integer.MAX_VALUE) % n.
func TestPartitionOf(t *testing.T) {
	for _, c := range []struct {
		tenant, dashboard string
		n, want           int
	}{
		{"", "", 1 << 30, 47},
		{"a", "b", 1 << 30, (97*31+47)*31 + 98},
		{"default", "flights", 8, int(uint32(javaHash("default/flights"))&0x7fffffff) % 8},
		{"default", "polygenelubricants", 1000, int(uint32(javaHash("default/polygenelubricants"))&0x7fffffff) % 1000},
	} {
		if got := eventlog.PartitionOf(messages.Key{Tenant: c.tenant, Dashboard: c.dashboard}, c.n); got != c.want {
			t.Errorf("home of %s/%s among %d: got %d, want %d", c.tenant, c.dashboard, c.n, got, c.want)
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
