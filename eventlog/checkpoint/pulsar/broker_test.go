package pulsar

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/dashfeed/dashfeed/eventlog/checkpoint"
	"github.com/dashfeed/dashfeed/eventlog/checkpoint/shared"
	"github.com/dashfeed/dashfeed/eventlog/pulsar/pulsartest"
	"github.com/dashfeed/dashfeed/messages"
)

// lead leads shard 0 for the node.
func (s *site) lead(t *testing.T, c Config) *leader {
	t.Helper()
	p := s.place(t)
	p.config = c.withDefaults()
	l, err := p.Lead(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	return l.(*leader)
}

// TestHolderIsNamed: a process that finds another leader learns which one.
func TestHolderIsNamed(t *testing.T) {
	s := newSite(t, pulsartest.Shared(t), 1)
	held := s.lead(t, s.config("first"))
	defer held.Close()
	for cluster, want := range map[string]string{
		"test":  "node first of a cluster with the name test leads the shard now",
		"other": "node first of the cluster test, which uses the same topic",
	} {
		p := s.place(t)
		p.config.Cluster = cluster
		_, err := p.Lead(t.Context(), 0)
		if !errors.Is(err, shared.ErrLost) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "dashfeed/test/first/") {
			t.Errorf("cluster %s: got %v; want ErrLost, saying %q and the producer's name", cluster, err, want)
		}
	}
}

// TestFenced: a leader that lost its producer no longer publishes and names the new leader.
func TestFenced(t *testing.T) {
	s := newSite(t, pulsartest.Shared(t), 1)
	a := s.lead(t, s.config("a"))
	defer a.Close()
	local := newScratch(t)
	if _, err := a.Publish(t.Context(), local.write(10), local); err != nil {
		t.Fatal(err)
	}
	p := s.place(t)
	for try := 0; ; try++ {
		s.admin(t, "PUT", "persistent/"+s.namespace+"/checkpoints-partition-0/unload", "")
		b, err := p.Lead(t.Context(), 0) // before the old one has reconnected
		if err == nil {
			defer b.Close()
			break
		}
		if !errors.Is(err, shared.ErrLost) || try == 20 {
			t.Fatal(err)
		}
	}
	_, err := a.Publish(t.Context(), local.write(20), local)
	if !errors.Is(err, shared.ErrLost) || !strings.Contains(err.Error(), "observer") {
		t.Errorf("got %v; want ErrLost, naming the new one", err)
	}
	s.wantWhole(t, "after the old one was fenced", 10)
}

// TestCompacted: after the first checkpoint the partition is compacted and the namespace has a
// threshold; the guard does not hold compacted messages; a partition compacted any number of times
// loads.
func TestCompacted(t *testing.T) {
	s := newSite(t, pulsartest.Shared(t), 1)
	partition := "persistent/" + s.namespace + "/checkpoints-partition-0"
	s.admin(t, "PUT", partition+"/subscription/guard", `{"ledgerId":-1,"entryId":-1,"partitionIndex":-1}`)
	l := s.lead(t, s.config("a"))
	defer l.Close()
	local := newScratch(t)
	for n := uint64(1); n < 6; n++ {
		older, err := l.Publish(t.Context(), local.write(10*n), local)
		if err != nil || older.Lo != 10*(n-1) {
			t.Fatalf("released %s, %v; want %d", older, err, 10*(n-1))
		}
		i, err := l.place.admin.internal(t.Context(), l.topic)
		if err != nil || !i.compacted() {
			t.Fatalf("compacted is %v, %v", i.compacted(), err)
		}
		if n > 1 { // once more, on request
			l.settled = false
			s.admin(t, "PUT", partition+"/compaction", "")
			if err := l.await(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		s.wantWhole(t, fmt.Sprintf("compacted %d times", n), 10*n)
	}
	if got := s.admin(t, "GET", "namespaces/"+s.namespace+"/compactionThreshold", ""); got != fmt.Sprint(64<<20) {
		t.Errorf("compaction threshold is %q", got)
	}
	if stats := s.admin(t, "GET", partition+"/stats", ""); !strings.Contains(stats, `"guard"`) {
		t.Errorf("the guard is missing: %s", stats)
	}
}

// TestDeleted: a partition deleted under its leader is detected, reported, and written again as a
// whole.
func TestDeleted(t *testing.T) {
	s := newSite(t, pulsartest.Shared(t), 1)
	c := s.config("a")
	store := s.open(t, c)
	defer store.Close()
	store.Lead(0, true)
	commit := func(position uint64) uint64 {
		t.Helper()
		w, err := store.Begin(0)
		for d := 0; d < boards && err == nil; d++ {
			if position == 10 || d == 0 {
				err = w.Put(board(d, position))
			}
		}
		if err != nil {
			t.Fatal(err)
		}
		released, err := w.Commit(checkpoint.Marker{Position: messages.Position{Lo: position}})
		if err != nil {
			t.Fatal(err)
		}
		return released.Lo
	}
	commit(10)
	if released := commit(20); released != 10 {
		t.Fatalf("released %d, want 10", released)
	}
	s.admin(t, "DELETE", "persistent/"+s.namespace+"/checkpoints-partition-0?force=true", "")
	if released := commit(30); released != 0 {
		t.Errorf("released %d without the topic", released)
	}
	err := store.Err()
	if err == nil || !strings.Contains(err.Error(), "deleted") || !strings.Contains(err.Error(), "checkpoints-partition-0") {
		t.Errorf("Err is %v; want an error that the topic was deleted", err)
	}
	if released := commit(40); released != 0 {
		t.Errorf("released %d with one checkpoint", released)
	}
	if released := commit(50); released != 40 {
		t.Errorf("released %d, want 40: Err is %v", released, store.Err())
	}
	if err := store.Err(); err != nil {
		t.Error(err)
	}
	other := s.open(t, s.config("b"))
	defer other.Close()
	m, passedOver, err := other.Load(t.Context(), 0)
	if err != nil || passedOver != nil || m.Position.Lo != 50 {
		t.Fatalf("got marker %s, passed over %v, %v; want 50", m.Position, passedOver, err)
	}
	for d := range boards {
		want := uint64(10)
		if d == 0 {
			want = 50
		}
		if e, err := other.Get(0, board(d, 1).Key); err != nil || e.Position.Lo != want {
			t.Errorf("dashboard %d: got %s, %v; want %d", d, e.Position, err, want)
		}
	}
}
