package link

import (
	"errors"
	"sync"
	"time"

	"github.com/asynkron/protoactor-go/remote"
)

// lane is what waits for one peer and one kind. Remote's own queue has no bound, so it never holds messages: it holds a
// token, and when its writer comes to serialize the token it gets what waits then.
type lane struct {
	link *Link
	key  laneKey

	mu      sync.Mutex
	peer    Peer // the incarnation that the bodies are for
	bodies  [][]byte
	bytes   int
	flying  time.Time // since when a token is with the writer; zero: none is
	dropped bool      // its endpoint is gone and so is the lane
}

type laneKey struct {
	address string
	kind    Kind
}

const (
	maxParcel = 512 << 10 // bytes of bodies, unless one alone is more
	// tokenLife is how long a token is waited for. Remote may lose one while a connection ends.
	tokenLife = 500 * time.Millisecond
)

var errNothing = errors.New("nothing waits")

// put queues a body and says whether the lane still is one, and how many messages gave way.
func (n *lane) put(to Peer, body []byte) (took bool, gaveWay int) {
	b := bounds[n.key.kind]
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.dropped {
		return false, 0
	}
	if to.Name != n.peer.Name {
		gaveWay = n.clear()
		n.peer = to
		n.flying = time.Time{}
	}
	for len(n.bodies) > 0 && (len(n.bodies) >= b.messages || n.bytes+len(body) > b.bytes) {
		if !b.oldest {
			return true, gaveWay + 1
		}
		n.bytes -= len(n.bodies[0])
		n.bodies[0] = nil
		n.bodies = n.bodies[1:]
		gaveWay++
	}
	n.bodies = append(n.bodies, body)
	n.bytes += len(body)
	return true, gaveWay
}

// token stands for what waits for one incarnation.
type token struct {
	lane *lane
	to   string
}

// token gives one to send; nil if one is on its way or nothing waits.
func (n *lane) token(now time.Time) *token {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.bodies) == 0 || n.dropped || !n.flying.IsZero() && now.Sub(n.flying) < tokenLife {
		return nil
	}
	n.flying = now
	return &token{n, n.peer.Name}
}

// Serialize implements remote.RootSerializable: remote's writer calls it when it is about to write.
func (t *token) Serialize() (remote.RootSerialized, error) {
	n := t.lane
	bodies, size := n.take(t.to)
	n.link.pass(n)
	if len(bodies) == 0 {
		return nil, errNothing
	}
	n.link.meter.sent(n.key.kind, len(bodies), size)
	return &Parcel{FromName: n.link.self.Name, FromAddress: n.link.self.Address, Kind: uint32(n.key.kind), Bodies: bodies}, nil
}

// take gives the next bodies for an incarnation, of up to maxParcel bytes or one; none if they are for another by now.
func (n *lane) take(to string) (bodies [][]byte, size int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.peer.Name != to {
		return nil, 0
	}
	for len(bodies) < len(n.bodies) && (len(bodies) == 0 || size+len(n.bodies[len(bodies)]) <= maxParcel) {
		size += len(n.bodies[len(bodies)])
		bodies = n.bodies[: len(bodies)+1 : len(bodies)+1]
	}
	n.bodies = n.bodies[len(bodies):]
	if len(n.bodies) == 0 {
		n.bodies = nil
	}
	n.bytes -= size
	n.flying = time.Time{}
	return bodies, size
}

// drop ends the lane and gives the number of messages lost with it.
func (n *lane) drop() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.dropped = true
	return n.clear()
}

func (n *lane) clear() int {
	lost := len(n.bodies)
	n.bodies, n.bytes = nil, 0
	return lost
}
