package embedded

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/dashfeed/dashfeed/eventlog/checkpoint"
	"github.com/dashfeed/dashfeed/messages"
)

// Sequence returns the number of the shard's newest checkpoint here: 1 for the first, then one more
// each. It is 0 if there is none.
func (s *Store) Sequence(number int) (uint64, error) {
	if err := s.enter(); err != nil {
		return 0, err
	}
	defer s.using.RUnlock()
	current, _, err := s.reading(number)
	if errors.Is(err, checkpoint.ErrNone) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	sh, err := s.shard(number)
	if err != nil {
		return 0, err
	}
	sh.mu.Lock()
	defer sh.mu.Unlock()
	return sh.marks[current].sequence, nil
}

// Each calls yield with the dashboards that changed in the shard's checkpoints after the one with
// that sequence number, as the newest has them, ordered by name; after 0: with all. The entry is
// valid until yield returns. Each returns ErrCorrupt if an entry does not go as far as the marker:
// such a checkpoint must not be copied as whole.
func (s *Store) Each(number int, after uint64, yield func(checkpoint.Entry) error) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.using.RUnlock()
	current, through, err := s.reading(number)
	if err != nil {
		return err
	}
	// For all dashboards it reads the bodies in a row; for a few changed ones the heads, and the
	// body of each changed one.
	space := byte(bodySpace)
	if after > 0 {
		space = headSpace
	}
	it, err := s.dir.DB.NewIter(&pebble.IterOptions{LowerBound: shardKey(space, number), UpperBound: shardKey(space, number+1)})
	if err != nil {
		return fmt.Errorf("read shard %d: %w", number, corruptOr(err))
	}
	c := copying{s: s, shard: number, slot: current, through: through[current], after: after, yield: yield}
	for ok := it.First(); ok && err == nil; ok = it.Next() {
		k, slot, ok := splitKey(it.Key())
		if !ok || slot != current {
			continue
		}
		var value []byte
		if value, err = it.ValueAndErr(); err != nil {
			break
		}
		if after > 0 {
			err = c.head(k, it.Key(), value)
		} else {
			err = c.body(k, it.Key(), value)
		}
	}
	if err := errors.Join(err, it.Error(), it.Close()); err != nil {
		return fmt.Errorf("read shard %d: %w", number, corruptOr(err))
	}
	return nil
}

// copying is a running Each.
type copying struct {
	s       *Store
	shard   int
	slot    int
	through messages.Position
	after   uint64
	yield   func(checkpoint.Entry) error
}

func (c *copying) head(k messages.Key, key, value []byte) error {
	st, _, err := decodeHead(key, value)
	if err == nil && st.sequence <= c.after {
		return nil
	}
	// A corrupt head may belong to a changed dashboard: read the body.
	key = entryKey(bodySpace, c.shard, k, c.slot)
	if value, err = c.s.lookUp(key); err != nil {
		return fmt.Errorf("dashboard %s: %w", k, err)
	}
	return c.body(k, key, value)
}

func (c *copying) body(k messages.Key, key, value []byte) error {
	st, summary, state, err := decodeBody(key, value)
	if err != nil {
		return fmt.Errorf("dashboard %s: %w", k, err)
	}
	if !st.through.IsZero() && c.through.After(st.through) {
		return fmt.Errorf("dashboard %s: %w: it goes to %s only, the marker to %s", k, checkpoint.ErrCorrupt, st.through, c.through)
	}
	if st.sequence <= c.after {
		return nil
	}
	return c.yield(checkpoint.Entry{Key: k, Position: st.position, Summary: summary, State: state})
}
