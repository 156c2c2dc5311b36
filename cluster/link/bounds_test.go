package link

import (
	"fmt"
	"testing"
	"time"
)

func TestWhatWaitsForAPeerIsBounded(t *testing.T) {
	for _, k := range kinds {
		n := &lane{key: laneKey{"x:1", k}, peer: Peer{"x", "x:1"}}
		most := bounds[k]
		gave := 0
		for i := range most.messages + 5 {
			_, g := n.put(n.peer, fmt.Append(nil, i))
			gave += g
		}
		if len(n.bodies) != most.messages || gave != 5 {
			t.Errorf("%s: %d wait and %d gave way, want %d and 5", k, len(n.bodies), gave, most.messages)
		}
		want := "0"
		if most.oldest {
			want = "5"
		}
		if got := string(n.bodies[0]); got != want {
			t.Errorf("%s: the oldest is %s, want %s", k, got, want)
		}
		for range 20 {
			n.put(n.peer, make([]byte, MaxBody))
		}
		if n.bytes > most.bytes {
			t.Errorf("%s: %d bytes wait, at most %d", k, n.bytes, most.bytes)
		}
	}
}

func TestPeersAreBounded(t *testing.T) {
	var s lanes
	for i := range MaxPeers {
		for _, k := range kinds {
			if s.of(nil, Peer{"x", fmt.Sprint(i)}, k) == nil {
				t.Fatalf("peer %d is refused, %d are allowed", i, MaxPeers)
			}
		}
	}
	if s.of(nil, Peer{"x", "one more"}, Beat) != nil {
		t.Error("one peer too many")
	}
	s.remove(laneKey{"0", Beat})
	if s.of(nil, Peer{"x", "one more"}, Beat) == nil {
		t.Error("a place that is free again is refused")
	}
}

func TestATokenThatIsLostIsGivenAgain(t *testing.T) {
	n := &lane{key: laneKey{"x:1", Beat}, peer: Peer{"x", "x:1"}}
	now := time.Now()
	if n.token(now) != nil {
		t.Error("a token for nothing")
	}
	n.put(n.peer, nil)
	if n.token(now) == nil || n.token(now) != nil {
		t.Error("want one token")
	}
	if n.token(now.Add(tokenLife)) == nil {
		t.Error("want another after tokenLife")
	}
}

func TestIncarnations(t *testing.T) {
	now := time.UnixMicro(time.Now().UnixMicro())
	name := Incarnation("node-1", now)
	if NodeOf(name) != "node-1" || !Started(name).Equal(now) {
		t.Errorf("%s is of %s, started %v, want %v", name, NodeOf(name), Started(name), now)
	}
	if NodeOf("plain") != "plain" || !Started("plain").IsZero() || !Started("a~!").IsZero() {
		t.Error("a plain name has a start")
	}
}
