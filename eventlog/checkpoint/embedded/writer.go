package embedded

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/eventlog/checkpoint"
	"github.com/dashfeed/dashfeed/messages"
)

// MaxEntryBytes bounds an entry's summary and state together, and a marker's state.
const MaxEntryBytes = 16 << 20

// writeBytes is about how much a writer buffers before it passes it to Pebble.
const writeBytes = 256 << 10

// writer writes one checkpoint. One goroutine uses it.
type writer struct {
	s        *Store
	sh       *shard
	from     int // the slot of the previous checkpoint; none for the first one
	slot     int
	sequence uint64
	batch    *pebble.Batch
	ended    bool
}

// Begin starts the next checkpoint. Its slot may hold the older checkpoint's entries until Commit.
func (s *Store) Begin(number int) (checkpoint.Writer, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.using.RUnlock()
	if err := s.dir.Err(); err != nil {
		return nil, fmt.Errorf("begin checkpoint of shard %d: %w", number, err)
	}
	_, _, err := s.reading(number)
	if err != nil && !errors.Is(err, checkpoint.ErrNone) && !errors.Is(err, checkpoint.ErrCorrupt) {
		return nil, err
	}
	first := errors.Is(err, checkpoint.ErrNone)
	sh, err := s.shard(number)
	if err != nil {
		return nil, err
	}
	w, carry, err := sh.begin(s)
	if err != nil || !carry || w.from == none && !first {
		return w, err
	}
	if err := w.carryOver(); err != nil {
		return nil, errors.Join(fmt.Errorf("begin checkpoint of shard %d: carry over: %w", number, err), w.Abort())
	}
	return w, nil
}

func (sh *shard) begin(s *Store) (w *writer, carry bool, err error) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.writing {
		return nil, false, fmt.Errorf("begin checkpoint of shard %d: the previous one is neither committed nor aborted", sh.number)
	}
	sh.writing = true
	w = &writer{s: s, sh: sh, from: sh.current, slot: 1, sequence: 1, batch: s.dir.DB.NewBatch()}
	if sh.current != none {
		w.slot = 1 - sh.current
		w.sequence = sh.marks[sh.current].sequence + 1
	}
	return w, sh.carry, nil
}

// Put writes the entry's head and body, unsynced.
func (w *writer) Put(e checkpoint.Entry) error {
	if err := w.check(e); err != nil {
		return err
	}
	if err := w.s.enter(); err != nil {
		return err
	}
	defer w.s.using.RUnlock()
	return w.put(e.Key, stamp{sequence: w.sequence, position: e.Position}, e.Summary, e.State)
}

func (w *writer) check(e checkpoint.Entry) error {
	if w.ended {
		return fmt.Errorf("put %s: the checkpoint has ended", e.Key)
	}
	if err := errors.Join(messages.CheckName("tenant", e.Key.Tenant), messages.CheckName("dashboard", e.Key.Dashboard)); err != nil {
		return fmt.Errorf("put: %w", err)
	}
	if n := len(e.Summary) + len(e.State); n > MaxEntryBytes {
		return fmt.Errorf("put %s: %w: %d bytes, at most %d", e.Key, eventlog.ErrTooLarge, n, MaxEntryBytes)
	}
	return nil
}

func (w *writer) put(k messages.Key, st stamp, summary, state []byte) error {
	head := entryKey(headSpace, w.sh.number, k, w.slot)
	body := entryKey(bodySpace, w.sh.number, k, w.slot)
	err := errors.Join(
		w.batch.Set(head, headValue(head, st, summary), nil),
		w.batch.Set(body, bodyValue(body, st, summary, state), nil))
	if err == nil && w.batch.Len() >= writeBytes {
		err = w.flush()
	}
	if err != nil {
		return fmt.Errorf("put %s: %w", k, err)
	}
	return nil
}

// flush passes the buffer to Pebble.
func (w *writer) flush() error {
	if err := w.s.dir.Err(); err != nil {
		return err
	}
	full := w.batch
	w.batch = w.s.dir.DB.NewBatch()
	return w.s.dir.Commit(full, pebble.NoSync)
}

// Again copies the entry with its old stamp: both slots have the same entry then.
func (w *writer) Again(k messages.Key) error {
	if w.ended {
		return fmt.Errorf("again %s: the checkpoint has ended", k)
	}
	if err := w.s.enter(); err != nil {
		return err
	}
	defer w.s.using.RUnlock()
	return w.again(k)
}

func (w *writer) again(k messages.Key) error {
	if w.from == none {
		return fmt.Errorf("again %s: %w before this one", k, checkpoint.ErrNone)
	}
	key := entryKey(bodySpace, w.sh.number, k, w.from)
	value, err := w.s.lookUp(key)
	if err != nil {
		return fmt.Errorf("again %s: %w", k, err)
	}
	st, summary, state, err := decodeBody(key, value)
	if err != nil {
		return fmt.Errorf("again %s: %w", k, err)
	}
	return w.put(k, st, summary, state)
}

// Remove deletes the dashboard's entry in the slot.
func (w *writer) Remove(k messages.Key) error {
	if w.ended {
		return fmt.Errorf("remove %s: the checkpoint has ended", k)
	}
	return w.remove(k)
}

func (w *writer) remove(k messages.Key) error {
	return errors.Join(
		w.batch.Delete(entryKey(headSpace, w.sh.number, k, w.slot), nil),
		w.batch.Delete(entryKey(bodySpace, w.sh.number, k, w.slot), nil))
}

// Commit writes the marker, synced, which makes all entries durable.
func (w *writer) Commit(m checkpoint.Marker) (released messages.Position, err error) {
	if w.ended {
		return released, errors.New("commit: the checkpoint has ended")
	}
	if len(m.State) > MaxEntryBytes {
		return released, fmt.Errorf("commit checkpoint of shard %d: %w: %d bytes, at most %d", w.sh.number, eventlog.ErrTooLarge, len(m.State), MaxEntryBytes)
	}
	if err := w.s.enter(); err != nil {
		return released, err
	}
	defer w.s.using.RUnlock()
	marked := mark{sequence: w.sequence, Marker: m}
	if err := w.sync(marked); err != nil {
		return released, errors.Join(fmt.Errorf("commit checkpoint of shard %d: %w", w.sh.number, err), w.Abort())
	}
	w.s.dir.RestoreBallast()
	marked.State = nil
	return w.settle(&marked), nil
}

func (w *writer) sync(m mark) error {
	if err := w.s.dir.Err(); err != nil {
		return err
	}
	key := markerKey(w.sh.number, w.slot)
	if err := w.batch.Set(key, m.value(key), nil); err != nil {
		return err
	}
	last := w.batch
	w.batch = w.s.dir.DB.NewBatch()
	return w.s.dir.Commit(last, w.s.writing)
}

// settle makes the checkpoint the one to read from.
func (w *writer) settle(m *mark) (released messages.Position) {
	w.ended = true
	_ = w.batch.Close()
	w.sh.mu.Lock()
	defer w.sh.mu.Unlock()
	w.sh.marks[w.slot] = m
	w.sh.current, w.sh.writing, w.sh.carry = w.slot, false, false
	if w.from != none {
		released = w.sh.marks[w.from].Position
	}
	return released
}

// Abort leaves what Pebble has: it belongs to no checkpoint, and the next writer replaces it.
func (w *writer) Abort() error {
	if w.ended {
		return nil
	}
	w.ended = true
	w.sh.mu.Lock()
	w.sh.writing, w.sh.carry = false, true
	w.sh.mu.Unlock()
	return w.batch.Close()
}
