package link

import "sync"

// MaxPeers is how many peers a link sends to at the same time; what is for others is dropped and counted.
const MaxPeers = 1024

// lanes are those that something was sent on and whose connection hasn't ended.
type lanes struct {
	mu  sync.Mutex
	all map[laneKey]*lane
}

// of gives the lane to a peer, a new one if need be; nil beyond the bound.
func (s *lanes) of(l *Link, to Peer, k Kind) *lane {
	key := laneKey{to.Address, k}
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := s.all[key]; n != nil {
		return n
	}
	if len(s.all) >= MaxPeers*len(kinds) {
		return nil
	}
	if s.all == nil {
		s.all = map[laneKey]*lane{}
	}
	n := &lane{link: l, key: key, peer: to}
	s.all[key] = n
	return n
}

// remove ends a lane and gives the number of messages lost with it.
func (s *lanes) remove(key laneKey) int {
	s.mu.Lock()
	n := s.all[key]
	delete(s.all, key)
	s.mu.Unlock()
	if n == nil {
		return 0
	}
	return n.drop()
}
