package cluster

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/dashfeed/dashfeed/cluster/link"
	"github.com/dashfeed/dashfeed/messages"
)

func FuzzBeat(f *testing.F) {
	for _, b := range []*Beat{
		{},
		{Number: 7, Draining: true, Held: []string{"a~1"}, Drain: []string{"b"}, Claims: []*Claim{{Shard: 1, State: 1}, {Shard: 3, State: 2, Hi: 9, Lo: 4}}},
		{Claims: []*Claim{{Shard: 3, State: 2}, {Shard: 3, State: 1}, {Shard: 1 << 31, State: 2}, {Shard: 4, State: 258}, {Shard: 5}}},
	} {
		body, err := proto.Marshal(b)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		b, err := decodeBeat(body)
		if err != nil {
			return
		}
		last := -1
		for _, c := range b.claims {
			if c.Shard <= last || c.Shard >= MaxShards || c.State != messages.Loading && c.State != messages.Live {
				t.Fatalf("claim %+v after shard %d", c, last)
			}
			last = c.Shard
		}
		v := newView(sighting{peer: link.Peer{Name: "me~1", Address: "a:1"}, roles: NodeRole}, 1, standardRules())
		v.join(0)
		v.see(0, []sighting{{peer: link.Peer{Name: "you~1", Address: "b:1"}, roles: NodeRole}})
		v.hear(time.Second, "you~1", b)
		v.decide(2*time.Second, 8, nil)
	})
}

func TestALateBeatIsIgnored(t *testing.T) {
	v := newView(sighting{peer: link.Peer{Name: "me~1", Address: "a:1"}, roles: NodeRole}, 1, standardRules())
	v.see(0, []sighting{{peer: link.Peer{Name: "you~1", Address: "b:1"}, roles: NodeRole}})
	live := []messages.Claim{{Shard: 2, State: messages.Live}}
	if !v.hear(1, "you~1", heardBeat{number: 5, claims: live}) || v.hear(2, "you~1", heardBeat{number: 4}) || v.hear(2, "unknown~1", heardBeat{number: 9}) {
		t.Error("an old beat, or one of an unknown member, was accepted")
	}
	if c := v.members["you~1"].claimOf(2); c.state != messages.Live || c.since != 1 {
		t.Errorf("it says %+v", c)
	}
	if v.hear(3, "you~1", heardBeat{number: 6, claims: live}) || v.members["you~1"].claimOf(2).since != 1 {
		t.Error("the same claim again is reported as a change")
	}
	if !v.lose("you~1") || v.lose("you~1") || v.members["you~1"].claimOf(2).state != 0 {
		t.Error("claims outlive the connection they came on")
	}
}

func TestThePastIsBounded(t *testing.T) {
	v := newView(sighting{peer: link.Peer{Name: "me~1", Address: "a:1"}, roles: NodeRole}, 1, standardRules())
	v.join(0)
	for i := range 3 * maxPast {
		now := time.Duration(i) * time.Second
		v.see(now, []sighting{{peer: link.Peer{Name: fmt.Sprintf("n%d~1", i), Address: fmt.Sprint(i)}}})
	}
	if len(v.past) > maxPast+1 || len(v.members) != 2 {
		t.Errorf("%d nodes are remembered, at most %d are allowed; %d members", len(v.past), maxPast, len(v.members))
	}
}

func TestANodeIsHeldLongerEachTimeUpToABound(t *testing.T) {
	v := newView(sighting{peer: link.Peer{Name: "me~1", Address: "a:1"}, roles: NodeRole}, 1, standardRules())
	v.join(0)
	s := sighting{peer: link.Peer{Name: "n~1", Address: "b:1"}, roles: NodeRole}
	now := time.Minute
	for i, want := range []time.Duration{2, 4, 8, 16, 32, 64, 64, 64} {
		v.see(now, []sighting{s})
		if got := v.members["n~1"].heldUntil - now; got != want*time.Second {
			t.Errorf("arrival %d is held for %v, want %v s", i, got, want)
		}
		now += time.Second
		v.see(now, nil)
	}
	v.see(now, []sighting{s})
	now += v.rules.forgive + 1
	v.see(now, nil)
	v.see(now, []sighting{s})
	if got := v.members["n~1"].heldUntil - now; got != v.rules.hold {
		t.Errorf("after a long stay it is held for %v", got)
	}
}

func TestRememberedMembersAreBounded(t *testing.T) {
	s := &seeker{known: map[string]time.Time{}}
	for i := range 2 * maxKnown {
		s.remember(fmt.Sprint(i), time.Unix(int64(i), 0))
	}
	if _, newest := s.known[fmt.Sprint(2*maxKnown-1)]; len(s.known) != maxKnown || !newest {
		t.Errorf("%d are remembered, want the newest %d", len(s.known), maxKnown)
	}
}

func TestKeysAreBoundedAndChecked(t *testing.T) {
	if _, err := NewKeys(); err == nil {
		t.Error("an empty list of keys is accepted")
	}
	if _, err := NewKeys([]byte("short")); err == nil || !strings.Contains(err.Error(), "5 bytes") {
		t.Errorf("error %v", err)
	}
	k, err := NewKeys(bytes.Repeat([]byte{0}, 16))
	if err != nil {
		t.Fatal(err)
	}
	for i := range MaxKeys - 1 {
		if err := k.Add(bytes.Repeat([]byte{byte(i + 1)}, 16)); err != nil {
			t.Fatal(err)
		}
	}
	if k.Add(bytes.Repeat([]byte{99}, 16)) == nil {
		t.Error("one key too many is accepted")
	}
	if k.Remove(bytes.Repeat([]byte{0}, 16)) == nil || k.Use(bytes.Repeat([]byte{99}, 16)) == nil {
		t.Error("the key in use was removed, or an unknown one is used")
	}
	for in, want := range map[string]string{"?": "not base64", "YWJj": "3 bytes"} {
		if _, err := ParseKey(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("key %q: %v", in, err)
		}
	}
	if key, err := ParseKey("MDEyMzQ1Njc4OWFiY2RlZg=="); err != nil || len(key) != 16 {
		t.Errorf("key %q, %v", key, err)
	}
}

func TestAWarningIsNotRepeated(t *testing.T) {
	var out bytes.Buffer
	e := &gossipLog{logger: slog.New(slog.NewTextHandler(&out, nil)), cluster: "x"}
	for range 5 {
		fmt.Fprintln(e, `[ERR] memberlist: discarding packet with unacceptable label "y": from=1.2.3.4:5`)
		fmt.Fprintln(e, `[ERR] memberlist: Decrypt packet failed: no installed keys could decrypt the message from=1.2.3.4:5`)
		fmt.Fprintln(e, `[DEBUG] memberlist: Initiating push/pull sync`)
	}
	if n := strings.Count(out.String(), "level="); n != 2 {
		t.Errorf("%d lines:\n%s", n, out.String())
	}
}

func BenchmarkDecide(b *testing.B) {
	for _, c := range []struct{ shards, nodes int }{{256, 5}, {4096, 50}} {
		b.Run(fmt.Sprintf("%dx%d", c.shards, c.nodes), func(b *testing.B) {
			v := newView(sighting{peer: link.Peer{Name: "n0~1", Address: "0:1"}, roles: NodeRole}, 2, standardRules())
			v.join(0)
			var all []sighting
			for i := 1; i < c.nodes; i++ {
				all = append(all, sighting{peer: link.Peer{Name: fmt.Sprintf("n%d~1", i), Address: fmt.Sprint(i)}, roles: NodeRole})
			}
			v.see(0, all)
			var claims []messages.Claim
			for i := range c.shards {
				claims = append(claims, messages.Claim{Shard: i, State: messages.Live})
			}
			for name := range v.members {
				v.hear(time.Hour, name, heardBeat{number: 1, claims: claims})
			}
			b.ReportAllocs()
			for b.Loop() {
				v.decide(time.Hour, c.shards, claims[:c.shards/c.nodes])
			}
		})
	}
}
