package link

import (
	"fmt"
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

// Incarnation names one start of a node: the name and the microsecond, so that of two the newer is known.
func Incarnation(node string, start time.Time) string {
	return node + separator + strconv.FormatInt(start.UnixMicro(), 36)
}

// NodeOf is the node's name of an incarnation; the whole name where it isn't one.
func NodeOf(name string) string {
	node, _, _ := strings.Cut(name, separator)
	return node
}

// Started is when an incarnation began, by its own clock; the zero time where the name is no incarnation's.
func Started(name string) time.Time {
	_, start, ok := strings.Cut(name, separator)
	micro, err := strconv.ParseInt(start, 36, 64)
	if !ok || err != nil {
		return time.Time{}
	}
	return time.UnixMicro(micro)
}

// Kind is what a message is for. Each has its own connection and its own bounds.
type Kind uint8

// The kinds.
const (
	Beat    Kind = 1 // what a node says of itself, four times a second
	Feed    Kind = 2 // between owners and viewers
	Command Kind = 3 // rare and small
)

// kinds are all there are.
var kinds = []Kind{Beat, Feed, Command}

// String names the kind.
func (k Kind) String() string {
	switch k {
	case Beat:
		return "beat"
	case Feed:
		return "feed"
	case Command:
		return "command"
	}
	return "kind " + strconv.Itoa(int(k))
}

// bound is what may wait for one peer.
type bound struct {
	messages, bytes int
	oldest          bool // the oldest gives way, not the newest
}

var bounds = map[Kind]bound{
	Beat:    {16, 2 << 20, true},
	Feed:    {1024, 4 << 20, false},
	Command: {1024, 2 << 20, false},
}

// MaxBody is how many bytes one message may have: a larger one is dropped and counted.
const MaxBody = 1 << 20

// scheme makes three addresses of one, so that remote keeps three connections to a peer: gRPC dials what stands behind the
// third slash and ignores what stands before it.
const scheme = "passthrough://"

// laneAddress is where remote sends what is of one kind.
func laneAddress(address string, k Kind) string { return scheme + k.String() + "/" + address }

// bare is the peer's address again, and the kind's name.
func bare(laneAddress string) (address, kind string, ok bool) {
	rest, ok := strings.CutPrefix(laneAddress, scheme)
	if !ok {
		return "", "", false
	}
	kind, address, ok = strings.Cut(rest, "/")
	return address, kind, ok
}

// target is the name under which an incarnation takes what is of one kind.
func target(name string, k Kind) string { return fmt.Sprintf("%s/%s", name, k) }
