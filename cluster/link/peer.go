package link

import (
	"strconv"
	"strings"
	"time"
)

// Peer is one incarnation of a node: each start is another.
type Peer struct {
	Name    string // of the incarnation: "node-1~dyh2k9p0x4"
	Address string // host:port that its link is reached at
}

// String is for logs and people.
func (p Peer) String() string { return p.Name + " at " + p.Address }

// Node is the name of the node that the incarnation is of.
func (p Peer) Node() string { return NodeOf(p.Name) }

// valid reports whether the peer can be sent to: a name, and an address that gRPC takes for one.
func (p Peer) valid() bool {
	if p.Name == "" || p.Address == "" {
		return false
	}
	for _, c := range p.Address {
		if c <= ' ' || c > '~' || strings.ContainsRune("%/?#", c) {
			return false
		}
	}
	return true
}

// separator stands between a node's name and its start.
const separator = "~"

// Incarnation names one start of a node: the name and the microsecond, so that of two the newer is
// known.
func Incarnation(node string, start time.Time) string {
	return node + separator + strconv.FormatInt(start.UnixMicro(), 36)
}

// NodeOf is the node's name of an incarnation; the whole name where it isn't one.
func NodeOf(name string) string {
	node, _, _ := strings.Cut(name, separator)
	return node
}

// Started is when an incarnation began, by its own clock; the zero time where the name is no
// incarnation's.
func Started(name string) time.Time {
	_, start, ok := strings.Cut(name, separator)
	micro, err := strconv.ParseInt(start, 36, 64)
	if !ok || err != nil {
		return time.Time{}
	}
	return time.UnixMicro(micro)
}
