package pulsar

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apache/pulsar-client-go/pulsar"

	"github.com/dashfeed/dashfeed/eventlog/checkpoint"
	"github.com/dashfeed/dashfeed/eventlog/checkpoint/embedded"
	"github.com/dashfeed/dashfeed/eventlog/checkpoint/shared"
	"github.com/dashfeed/dashfeed/eventlog/pulsar/broker"
	"github.com/dashfeed/dashfeed/eventlog/pulsar/pulsartest"
	"github.com/dashfeed/dashfeed/messages"
)

// dying is a producer whose process dies after that many messages: later ones reach nobody.
type dying struct {
	pulsar.Producer
	left int
}

var errDied = errors.New("the process died")

func (d *dying) SendAsync(ctx context.Context, m *pulsar.ProducerMessage, done func(pulsar.MessageID, *pulsar.ProducerMessage, error)) {
	if d.left--; d.left < 0 {
		done(nil, m, errDied)
		return
	}
	d.Producer.SendAsync(ctx, m, done)
}

// scratch is the checkpoint that a leader publishes.
type scratch struct {
	t     *testing.T
	store *embedded.Store
}

func newScratch(t *testing.T) *scratch {
	store, err := embedded.Open(embedded.Default(t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return &scratch{t, store}
}

func (s *scratch) Sequence() uint64 {
	n, err := s.store.Sequence(0)
	if err != nil {
		s.t.Error(err)
	}
	return n
}

func (s *scratch) Each(after uint64, yield func(checkpoint.Entry) error) error {
	return s.store.Each(0, after, yield)
}

// boards is five dashboards; the last has several pieces. The state of each begins with the
// position of its Put.
const boards = 5

func board(d int, position uint64) checkpoint.Entry {
	e := checkpoint.Entry{
		Key:      messages.Key{Tenant: "t", Dashboard: fmt.Sprint("d", d)},
		Position: messages.Position{Lo: position},
		State:    fmt.Appendf(nil, "%d ", position),
	}
	if d == boards-1 {
		x := position
		for len(e.State) < 3*pieceBytes {
			x = x*6364136223846793005 + 1442695040888963407
			e.State = append(e.State, byte(x>>56))
		}
	}
	return e
}

func (s *scratch) write(position uint64, more ...checkpoint.Entry) checkpoint.Marker {
	s.t.Helper()
	m := checkpoint.Marker{Position: messages.Position{Lo: position}, State: fmt.Append(nil, position)}
	w, err := s.store.Begin(0)
	for d := 0; d < boards && err == nil; d++ {
		err = w.Put(board(d, position))
	}
	for i := 0; i < len(more) && err == nil; i++ {
		err = w.Put(more[i])
	}
	if err == nil {
		_, err = w.Commit(m)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return m
}

// TestCrashInPublish: a leader dies after every possible number of messages of its third
// checkpoint. Then the second one is loaded; the next leader's checkpoint is whole, and so is the
// remaining one after its newest entry is damaged.
func TestCrashInPublish(t *testing.T) {
	s := newSite(t, pulsartest.Shared(t), 1)
	p := s.place(t)
	local := newScratch(t)
	position := uint64(0)
	publish := func(left int) error {
		t.Helper()
		taken, err := p.Lead(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		defer taken.Close()
		l := taken.(*leader)
		l.producer = &dying{l.producer, left}
		position += 10
		_, err = l.Publish(t.Context(), local.write(position), local)
		return err
	}
	// messages of a checkpoint: a piece each, four of the large entry, the marker
	const all = boards - 1 + 4 + 1
	for left := 0; left <= all; left++ {
		for range 2 {
			if err := publish(all); err != nil {
				t.Fatal(err)
			}
		}
		whole := position
		if err := publish(left); left < all != errors.Is(err, errDied) {
			t.Fatalf("after %d messages: %v", left, err)
		}
		if left == all {
			whole = position
		}
		s.wantWhole(t, fmt.Sprintf("death after %d messages", left), whole)
	}
}

// TestCrashLeavesNoDashboard: a leader dies after it has sent everything but the marker, or less.
// New dashboards in it, which the next leader does not have since their records are lost, are in no
// later checkpoint, before and after the topic is compacted.
func TestCrashLeavesNoDashboard(t *testing.T) {
	s := newSite(t, pulsartest.Shared(t), 1)
	p := s.place(t)
	position := uint64(0)
	publish := func(local *scratch, left int, more ...checkpoint.Entry) error {
		t.Helper()
		taken, err := p.Lead(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		defer taken.Close()
		l := taken.(*leader)
		l.producer = &dying{l.producer, left}
		position += 10
		_, err = l.Publish(t.Context(), local.write(position, more...), local)
		return err
	}
	const all = 100
	born := func(name string, large int) checkpoint.Entry {
		e := board(large, position)
		e.Key.Dashboard = name
		return e
	}
	for left := range 12 {
		local, lost := newScratch(t), newScratch(t)
		for range 2 {
			if err := publish(local, all); err != nil {
				t.Fatal(err)
			}
		}
		fresh := []checkpoint.Entry{born("a", 0), born("b", boards-1), born("e", 1)}
		if err := publish(lost, left, fresh...); !errors.Is(err, errDied) {
			t.Fatalf("after %d messages: %v", left, err)
		}
		s.wantWhole(t, fmt.Sprintf("death after %d messages", left), position-10, fresh...)
		if left%4 == 3 {
			s.compact(t)
		}
		for range 3 {
			if err := publish(local, all); err != nil {
				t.Fatal(err)
			}
			s.wantWhole(t, fmt.Sprintf("some time after a death after %d messages", left), position, fresh...)
		}
	}
	// a real dashboard with that name
	if err := publish(newScratch(t), all, born("a", 0)); err != nil {
		t.Fatal(err)
	}
	s.wantWhole(t, "with one more", position)
	c := s.contents(t, 0)
	if _, err := c.newest(); err != nil {
		t.Error(err)
	}
}

// compact compacts the shard's partition.
func (s *site) compact(t *testing.T) {
	t.Helper()
	topic, _ := s.partition(0)
	path := broker.TopicPath(topic) + "/compaction"
	s.admin(t, "PUT", path, "")
	// real time: it is a real broker
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if said := s.admin(t, "GET", path, ""); strings.Contains(said, "SUCCESS") {
			return
		} else if time.Now().After(deadline) {
			t.Fatalf("not compacted: %s", said)
		}
	}
}

// wantWhole loads with an empty scratch, and expects no entry for the dashboards in never.
func (s *site) wantWhole(t *testing.T, when string, position uint64, never ...checkpoint.Entry) {
	t.Helper()
	c := s.config("reads")
	c.Shared = shared.Default(filepath.Join(t.TempDir(), "scratch"))
	store := s.open(t, c)
	defer store.Close()
	m, passedOver, err := store.Load(t.Context(), 0)
	if err != nil || passedOver != nil || m.Position.Lo != position {
		t.Fatalf("%s: got marker %s, passed over %v, %v; want %d", when, m.Position, passedOver, err, position)
	}
	for d := range boards {
		want := board(d, position)
		if e, err := store.Get(0, want.Key); err != nil || e.Position != want.Position || !bytes.Equal(e.State, want.State) {
			t.Fatalf("%s: dashboard %d: got the one at %s, %v; want %s", when, d, e.Position, err, want.Position)
		}
	}
	for _, e := range never {
		if e, err := store.Get(0, e.Key); !errors.Is(err, checkpoint.ErrNone) {
			t.Errorf("%s: dashboard %s: got one at %s, %v; want none", when, e.Key, e.Position, err)
		}
	}
}
