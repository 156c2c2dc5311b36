package link

import (
	"strconv"
	"strings"
	"time"
)

// Peer is one incarnation of a node: each start is another.
type Peer struct {
	Name    string // the incarnation's name: "node-1~dyh2k9p0x4"
	Address string // host:port at which its link is reached
}

// String returns name and address, for logs and people.
func (p Peer) String() string { return p.Name + " at " + p.Address }

// Node returns the name of the incarnation's node.
func (p Peer) Node() string { return NodeOf(p.Name) }

// valid reports whether the peer can be dialed: it has a name, and an address that gRPC accepts.
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

// separator separates a node's name from its start.
const separator = "~"

// Incarnation names one start of a node by the node's name and the microsecond, so that the newer
// of two is known.
func Incarnation(node string, start time.Time) string {
	return node + separator + strconv.FormatInt(start.UnixMicro(), 36)
}

// NodeOf returns the node's name of an incarnation; the whole name if it is not an incarnation's.
func NodeOf(name string) string {
	node, _, _ := strings.Cut(name, separator)
	return node
}

// Started returns when an incarnation began, by its own clock; the zero time if the name is not an
// incarnation's.
func Started(name string) time.Time {
	_, start, ok := strings.Cut(name, separator)
	micro, err := strconv.ParseInt(start, 36, 64)
	if !ok || err != nil {
		return time.Time{}
	}
	return time.UnixMicro(micro)
}
