package embedded

import (
	"context"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/dashfeed/dashfeed/eventlog/checkpoint"
	"github.com/dashfeed/dashfeed/messages"
)

// Shared is false: no other process reads the store.
func (s *Store) Shared() bool { return false }

// Lead changes nothing: this process is every shard's only writer.
func (s *Store) Lead(int, bool) {}

// Newest reads the markers. One that is corrupt is passed over, as Load does.
func (s *Store) Newest(_ context.Context, number int) (at messages.Position, err error) {
	if err := s.enter(); err != nil {
		return at, err
	}
	defer s.using.RUnlock()
	sequence := uint64(0)
	for slot := range 2 {
		found, err := s.mark(number, slot)
		switch {
		case errors.Is(err, pebble.ErrNotFound), errors.Is(err, checkpoint.ErrCorrupt):
		case err != nil:
			return at, fmt.Errorf("newest checkpoint of shard %d: %w", number, err)
		case found.sequence > sequence:
			at, sequence = found.Position, found.sequence
		}
	}
	return at, nil
}

// Forget drops everything of the shard: it is all there is.
func (s *Store) Forget(number int) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.using.RUnlock()
	sh, err := s.shard(number)
	if err != nil {
		return err
	}
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.writing {
		return fmt.Errorf("forget shard %d: a checkpoint of it is neither committed nor aborted", number)
	}
	sh.current, sh.carry, sh.marks = none, true, [2]*mark{}
	b := s.dir.DB.NewBatch()
	for _, space := range []byte{markerSpace, headSpace, bodySpace} {
		err = errors.Join(err, b.DeleteRange(shardKey(space, number), shardKey(space, number+1), nil))
	}
	if err == nil {
		err = s.dir.Commit(b, s.writing)
	}
	if err != nil {
		return fmt.Errorf("forget shard %d: %w", number, err)
	}
	return nil
}
