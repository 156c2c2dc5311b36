// Package embedded keeps checkpoints on one machine, in one Pebble store for all shards.
//
//	store, err := embedded.Open(embedded.Default("/var/lib/dashfeed/checkpoints"))
//	marker, passedOver, err := store.Load(ctx, shard)
//	w, err := store.Begin(shard)
//	err = w.Put(entry)                       // not synced
//	released, err := w.Commit(marker)        // one sync
//
// Every dashboard has up to two entries, in slots 0 and 1; checkpoint n goes to slot n mod 2 and
// overwrites the one before the last. Until its marker is written, its entries belong to no
// checkpoint, and the next writer replaces them. An entry is a whole state at its own position; if
// that is later than the marker of its slot, replay skips more records. The marker is written last
// and synced; everything before it precedes it in the same write-ahead log.
//
// An entry has two keys: a head (summary, for listings) and a body (summary and state). Each value
// begins with its CRC-32C over key and rest, then the sequence number of the checkpoint that first
// held it and its position.
package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"sync"

	"github.com/cockroachdb/pebble/v2"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/eventlog/checkpoint"
	"github.com/dashfeed/dashfeed/eventlog/embedded/directory"
	"github.com/dashfeed/dashfeed/messages"
)

// formatVersion is the version of the keys and values described above.
const formatVersion = 1

// Config says where the checkpoints are stored and what they may use.
type Config struct {
	Path    string // the directory; created if missing
	Storage directory.Storage

	// Unsynced commits checkpoints to memory; they reach the disk later, and in Close. A crash
	// loses the newest ones, and never half of one: for a scratch store, whose checkpoints other
	// processes have too.
	Unsynced bool
}

// Default returns a configuration that continues in half of the free-space reserve at which the log
// stops: only checkpoints let the log drop records.
func Default(path string) Config {
	s := directory.DefaultStorage()
	s.LastToStop = true
	s.MemTableBytes = 4 << 20 // smaller memtables make Pebble merge more often
	return Config{Path: path, Storage: s}
}

// Validate reports every field that is out of its range.
func (c Config) Validate() error {
	err := c.Storage.Validate()
	if c.Path == "" {
		err = errors.Join(errors.New("checkpoint directory is missing"), err)
	}
	return err
}

// Store is the embedded store. Its only goroutines are Pebble's, which end in Close.
type Store struct {
	dir     *directory.Directory
	writing *pebble.WriteOptions // for markers

	using sync.RWMutex // held for reading while Pebble is used; Close waits for it

	mu     sync.Mutex
	closed bool
	shards map[int]*shard
}

var _ checkpoint.Store = (*Store)(nil)

// shard is what the store knows of one shard.
type shard struct {
	number int

	mu      sync.Mutex
	current int      // the slot to read from; none before Load found a whole marker
	marks   [2]*mark // the whole markers, without State
	writing bool
	carry   bool // the next Begin must carry over the newest checkpoint's own entries
}

const none = -1

// Open opens or creates the store. It returns eventlog.ErrInUse if another process has it.
func Open(c Config) (*Store, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("open checkpoints: %w", err)
	}
	c.Storage.Unlogged = c.Unsynced
	dir, err := directory.Open(c.Path, directory.Format{Kind: "checkpoints", Version: formatVersion}, c.Storage, nil)
	if err != nil {
		return nil, fmt.Errorf("open checkpoints: %w", err)
	}
	s := &Store{dir: dir, writing: pebble.Sync, shards: map[int]*shard{}}
	if c.Unsynced {
		s.writing = pebble.NoSync
	}
	return s, nil
}

// Err returns eventlog.ErrFull while free space is too low for checkpoints, and
// eventlog.ErrUnwritable while the directory can't be written.
func (s *Store) Err() error { return s.dir.Err() }

// Close ends the store and discards running writers. If waiting writes prevent that, it returns
// their error.
func (s *Store) Close() error {
	s.mu.Lock()
	closed := s.closed
	s.closed = true
	s.mu.Unlock()
	if closed {
		return nil
	}
	return s.dir.Close(s.using.Lock, s.using.Unlock)
}

// enter lets a call use Pebble until it calls s.using.RUnlock.
func (s *Store) enter() error {
	s.using.RLock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		s.using.RUnlock()
		return fmt.Errorf("checkpoints: %w", eventlog.ErrClosed)
	}
	return nil
}

// Load reads the shard's markers again.
func (s *Store) Load(_ context.Context, number int) (m checkpoint.Marker, passedOver error, err error) {
	if err := s.enter(); err != nil {
		return checkpoint.Marker{}, nil, err
	}
	defer s.using.RUnlock()
	sh, err := s.shard(number)
	if err != nil {
		return checkpoint.Marker{}, nil, err
	}
	sh.mu.Lock()
	defer sh.mu.Unlock()
	return s.load(sh)
}

// shard finds the shard; a shard that was not loaded has no slot to read from.
func (s *Store) shard(number int) (*shard, error) {
	if number < 0 || number > math.MaxInt32 {
		return nil, fmt.Errorf("shard %d is not allowed: 0 to %d", number, math.MaxInt32)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	sh := s.shards[number]
	if sh == nil {
		sh = &shard{number: number, current: none}
		s.shards[number] = sh
	}
	return sh, nil
}

// load loads the shard; the caller holds sh.mu.
func (s *Store) load(sh *shard) (m checkpoint.Marker, passedOver error, err error) {
	sh.current, sh.carry = none, true
	var damage []error
	for slot := range sh.marks {
		sh.marks[slot] = nil
		found, err := s.mark(sh.number, slot)
		switch {
		case errors.Is(err, pebble.ErrNotFound):
			continue
		case err != nil:
			damage = append(damage, fmt.Errorf("shard %d: marker in slot %d: %w", sh.number, slot, err))
			continue
		}
		if sh.current == none || found.sequence > sh.marks[sh.current].sequence {
			sh.current, m = slot, found.Marker
		}
		found.State = nil
		sh.marks[slot] = &found
	}
	switch {
	case sh.current != none:
		return m, errors.Join(damage...), nil
	case len(damage) > 0:
		return m, nil, errors.Join(damage...)
	}
	return m, nil, fmt.Errorf("shard %d: %w", sh.number, checkpoint.ErrNone)
}

func (s *Store) mark(shard, slot int) (mark, error) {
	key := markerKey(shard, slot)
	value, closer, err := s.dir.DB.Get(key)
	if err != nil {
		return mark{}, corruptOr(err)
	}
	m, err := decodeMark(key, value)
	return m, errors.Join(err, closer.Close())
}

// corruptOr turns Pebble's error of a corrupt block into ErrCorrupt.
func corruptOr(err error) error {
	if pebble.IsCorruptionError(err) {
		return fmt.Errorf("%w: %w", checkpoint.ErrCorrupt, err)
	}
	return err
}

// reading returns the shard's slot to read from, and the positions of both markers.
func (s *Store) reading(number int) (current int, through [2]messages.Position, err error) {
	sh, err := s.shard(number)
	if err != nil {
		return none, through, err
	}
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.current == none {
		if _, _, err := s.load(sh); err != nil {
			return none, through, err
		}
	}
	for slot, m := range sh.marks {
		if m != nil {
			through[slot] = m.Position
		}
	}
	return sh.current, through, nil
}

// Get costs one look-up, and almost nothing for a dashboard that was never seen.
func (s *Store) Get(number int, k messages.Key) (checkpoint.Entry, error) {
	if err := s.enter(); err != nil {
		return checkpoint.Entry{}, err
	}
	defer s.using.RUnlock()
	current, through, err := s.reading(number)
	if err != nil {
		return checkpoint.Entry{}, err
	}
	e, err := s.get(number, k, current, through[current])
	if err == nil || !errors.Is(err, checkpoint.ErrCorrupt) {
		return e, err
	}
	other := 1 - current
	e, otherErr := s.get(number, k, other, through[other])
	if otherErr != nil {
		return checkpoint.Entry{}, errors.Join(err, otherErr)
	}
	s.dir.Logger.Error("checkpoint entry corrupt, the previous one is used", "shard", number, "dashboard", k.String(), "err", err)
	e.FellBack = true
	if m, err := s.mark(number, other); err == nil && !m.Position.After(e.Through) {
		e.Marker = m.Marker
	}
	return e, nil
}

func (s *Store) get(number int, k messages.Key, slot int, through messages.Position) (checkpoint.Entry, error) {
	refuse := func(err error) (checkpoint.Entry, error) {
		return checkpoint.Entry{}, fmt.Errorf("shard %d: dashboard %s in slot %d: %w", number, k, slot, err)
	}
	key := entryKey(bodySpace, number, k, slot)
	value, err := s.lookUp(key)
	if err != nil {
		return refuse(err)
	}
	st, summary, state, err := decodeBody(key, value)
	if err != nil {
		return refuse(err)
	}
	e := checkpoint.Entry{Key: k, Position: st.position, Summary: summary, State: state, Through: through}
	if !st.through.IsZero() {
		e.Through, e.FellBack = st.through, true
	}
	if e.Position.After(e.Through) {
		e.Through = e.Position
	}
	return e, nil
}

// lookUp returns a copy of the value at key, or ErrNone. Pebble's own Get ignores the filters of
// the lowest level, so that a miss reads a block; an iterator can be told to use them.
func (s *Store) lookUp(key []byte) (value []byte, err error) {
	it, err := s.dir.DB.NewIter(&pebble.IterOptions{UseL6Filters: true})
	if err != nil {
		return nil, corruptOr(err)
	}
	found := it.SeekPrefixGE(key)
	if found {
		value, err = it.ValueAndErr()
		value = bytes.Clone(value)
	}
	if err := errors.Join(err, it.Error(), it.Close()); err != nil {
		return nil, corruptOr(err)
	}
	if !found {
		return nil, checkpoint.ErrNone
	}
	return value, nil
}
