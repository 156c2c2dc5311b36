package embedded

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/dashfeed/dashfeed/eventlog/checkpoint"
	"github.com/dashfeed/dashfeed/messages"
)

// List reads heads only, as of its begin. A dashboard whose heads are both corrupt is listed
// without Summary.
func (s *Store) List(number int, tenant, prefix, after string, yield func(checkpoint.Entry) bool) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.using.RUnlock()
	current, through, err := s.reading(number)
	if errors.Is(err, checkpoint.ErrNone) {
		return nil
	}
	if err != nil {
		return err
	}
	it, err := s.dir.DB.NewIter(listBounds(number, tenant, prefix, after))
	if err != nil {
		return fmt.Errorf("list shard %d: %w", number, err)
	}
	l := listing{current: current, through: through, yield: yield}
	for ok := it.First(); ok && !l.ended; ok = it.Next() {
		value, err := it.ValueAndErr()
		if err != nil {
			return errors.Join(fmt.Errorf("list shard %d: %w", number, corruptOr(err)), it.Close())
		}
		l.add(it.Key(), value)
	}
	if err := errors.Join(it.Error(), it.Close()); err != nil {
		return fmt.Errorf("list shard %d: %w", number, corruptOr(err))
	}
	l.flush()
	return nil
}

// listBounds covers the heads whose names begin with prefix and come after the name after. No name
// contains 0xff.
func listBounds(number int, tenant, prefix, after string) *pebble.IterOptions {
	if tenant == "" {
		return &pebble.IterOptions{LowerBound: shardKey(headSpace, number), UpperBound: shardKey(headSpace, number+1)}
	}
	begin := tenantKey(headSpace, number, tenant)
	lower := append(bytes.Clone(begin), prefix...)
	if after != "" {
		past := append(append(bytes.Clone(begin), after...), 0, 0xff) // after both slots
		if bytes.Compare(past, lower) > 0 {
			lower = past
		}
	}
	return &pebble.IterOptions{LowerBound: lower, UpperBound: append(append(begin, prefix...), 0xff)}
}

// listing combines the two slots of each dashboard: their heads follow each other.
type listing struct {
	current int
	through [2]messages.Position
	yield   func(checkpoint.Entry) bool
	ended   bool

	name []byte // of the current dashboard: its key without the slot
	head [2]struct {
		there bool
		value []byte
	}
}

func (l *listing) add(key, value []byte) {
	name, slot := key[:len(key)-1], int(key[len(key)-1])
	if slot > 1 {
		return
	}
	if !bytes.Equal(name, l.name) {
		l.flush()
		l.name = append(l.name[:0], name...)
	}
	l.head[slot].there = true
	l.head[slot].value = append(l.head[slot].value[:0], value...)
}

// flush yields the current dashboard, if the slot to read from has it.
func (l *listing) flush() {
	there := l.head[l.current].there
	defer func() { l.head[0].there, l.head[1].there = false, false }()
	key := append(l.name, byte(l.current))
	k, _, ok := splitKey(key)
	if !there || !ok || l.ended {
		return
	}
	e := checkpoint.Entry{Key: k}
	if err := l.decode(&e, l.current); err != nil {
		e.FellBack = true
		if l.head[1-l.current].there {
			_ = l.decode(&e, 1-l.current) // without a summary if it fails
		}
	}
	l.ended = !l.yield(e)
}

func (l *listing) decode(e *checkpoint.Entry, slot int) error {
	st, summary, err := decodeHead(append(l.name, byte(slot)), l.head[slot].value)
	if err != nil {
		return err
	}
	e.Position, e.Summary, e.Through = st.position, summary, l.through[slot]
	if !st.through.IsZero() {
		e.Through, e.FellBack = st.through, true
	}
	if e.Position.After(e.Through) {
		e.Through = e.Position
	}
	return nil
}
