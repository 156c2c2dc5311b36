package pulsar

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/apache/pulsar-client-go/pulsar"

	"github.com/dashfeed/dashfeed/eventlog/checkpoint"
	"github.com/dashfeed/dashfeed/eventlog/checkpoint/embedded"
	"github.com/dashfeed/dashfeed/eventlog/checkpoint/shared"
	"github.com/dashfeed/dashfeed/eventlog/pulsar/pulsartest"
	"github.com/dashfeed/dashfeed/messages"
)

// dying is a producer whose process dies after so many messages: what it sends from then on reaches nobody.
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

// boards are five dashboards; the last is of several pieces. The state of each begins with the position it was put at.
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

func (s *scratch) write(position uint64) checkpoint.Marker {
	s.t.Helper()
	m := checkpoint.Marker{Position: messages.Position{Lo: position}, State: fmt.Append(nil, position)}
	w, err := s.store.Begin(0)
	for d := 0; d < boards && err == nil; d++ {
		err = w.Put(board(d, position))
	}
	if err == nil {
		_, err = w.Commit(m)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return m
}

// TestCrashInPublish: a leader dies after every number of messages of its third checkpoint. The second one is loaded
// then; the next leader's is whole, and so is what is left with its newest entry spoiled.
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
	const all = boards - 1 + 4 + 1 // messages of a checkpoint: a piece each, four of the large one, the marker
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
		s.wantWhole(t, fmt.Sprintf("dead after %d messages", left), whole)
	}
}

// wantWhole loads with an empty scratch.
func (s *site) wantWhole(t *testing.T, when string, position uint64) {
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
}
