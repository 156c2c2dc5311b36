package remote_test

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// network is a link in memory that loses, repeats, delays and cuts. A message's delay is drawn, so messages overtake each
// other.
type network struct {
	mu      sync.Mutex
	rng     *rand.Rand
	loss    float64
	repeat  float64
	delay   time.Duration // at most
	cut     map[[2]string]bool
	peers   map[string]func(from string, body []byte)
	bytes   int // sent
	count   int // messages sent
	largest int
	to      map[string]int // bytes by receiver, where it is set
}

func newNetwork(seed uint64) *network {
	return &network{rng: rand.New(rand.NewPCG(seed, 1)), cut: map[[2]string]bool{}, peers: map[string]func(string, []byte){}}
}

func (n *network) join(peer string, receive ...func(from string, body []byte)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.peers[peer] = func(from string, body []byte) {
		for _, r := range receive {
			r(from, body)
		}
	}
}

// send is the peer's Send.
func (n *network) send(from string) func(to string, body []byte) {
	return func(to string, body []byte) {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.count++
		n.bytes += len(body)
		n.largest = max(n.largest, len(body))
		if n.to != nil {
			n.to[to] += len(body)
		}
		copies := 1
		if n.rng.Float64() < n.loss {
			copies = 0
		} else if n.rng.Float64() < n.repeat {
			copies = 2
		}
		if n.cut[[2]string{from, to}] {
			copies = 0
		}
		for range copies {
			after := time.Duration(0)
			if n.delay > 0 {
				after = time.Duration(n.rng.Int64N(int64(n.delay)))
			}
			time.AfterFunc(after, func() {
				n.mu.Lock()
				receive := n.peers[to]
				n.mu.Unlock()
				if receive != nil {
					receive(from, body)
				}
			})
		}
	}
}

// traffic is what was sent so far.
func (n *network) traffic() (messages, bytes, largest int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.count, n.bytes, n.largest
}

// weather sets how bad the network is from now on.
func (n *network) weather(loss, repeat float64, delay time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.loss, n.repeat, n.delay = loss, repeat, delay
}

// sever cuts both directions between two peers, or joins them again.
func (n *network) sever(a, b string, cut bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cut[[2]string{a, b}], n.cut[[2]string{b, a}] = cut, cut
}
