package shared

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/dashfeed/dashfeed/eventlog/checkpoint"
	"github.com/dashfeed/dashfeed/messages"
)

// Load chooses the newest checkpoint of the place and of the scratch. It fails if the place can't
// be read, since the place may have a newer one.
func (s *Store) Load(ctx context.Context, number int) (m checkpoint.Marker, passedOver error, err error) {
	refuse := func(err error) (checkpoint.Marker, error, error) {
		return checkpoint.Marker{}, passedOver, fmt.Errorf("load shard %d: %w", number, err)
	}
	sh, err := s.shard(number)
	if err != nil {
		return refuse(err)
	}
	name, err := s.place.Name(number)
	if err != nil {
		return refuse(err)
	}
	sh.io.Lock()
	defer sh.io.Unlock()
	if err := sh.release(); err != nil {
		s.config.Logger.Warn("a shard's checkpoints were not released cleanly", "shard", number, "error", err)
	}
	half, own, err := s.settle(ctx, sh, name)
	if err != nil {
		return refuse(err)
	}
	fetched, passedOver, err := s.fetch(ctx, number, 1-half, name, own)
	switch {
	case fetched:
		sh.read(1 - half)
		m, _, err := s.marker(ctx, scratchNumber(number, 1-half), name)
		return m, passedOver, errors.Join(err, s.scratch.Forget(scratchNumber(number, half)))
	case err != nil && !errors.Is(err, checkpoint.ErrNone) && !errors.Is(err, checkpoint.ErrCorrupt):
		return refuse(err)
	case own != nil && errors.Is(err, checkpoint.ErrCorrupt):
		return *own, errors.Join(passedOver, err), nil
	case own != nil:
		return *own, passedOver, nil
	case err == nil:
		return refuse(checkpoint.ErrNone)
	}
	return refuse(err)
}

// fetch reads the place's newest checkpoint beyond own into the half of the scratch that is not in
// use.
func (s *Store) fetch(ctx context.Context, number, half int, name string, own *checkpoint.Marker) (fetched bool, passedOver, err error) {
	var have messages.Position
	if own != nil {
		have = own.Position
	}
	return s.place.Fetch(ctx, number, have, func() (checkpoint.Writer, error) {
		if err := s.scratch.Forget(scratchNumber(number, half)); err != nil {
			return nil, err
		}
		w, err := s.scratch.Begin(scratchNumber(number, half))
		if err != nil {
			return nil, err
		}
		return &named{Writer: w, name: name}, nil
	})
}

// settle chooses the half of the scratch to read from: the one with the newest checkpoint. It drops
// halves that are not whole or belong to another name.
func (s *Store) settle(ctx context.Context, sh *shard, name string) (half int, own *checkpoint.Marker, err error) {
	for h := range 2 {
		m, whole, err := s.marker(ctx, scratchNumber(sh.number, h), name)
		switch {
		case err != nil:
			return 0, nil, err
		case !whole:
			if err := s.scratch.Forget(scratchNumber(sh.number, h)); err != nil {
				return 0, nil, err
			}
		case own == nil || m.Position.After(own.Position):
			half, own = h, &m
		}
	}
	sh.read(half)
	return half, own, nil
}

// marker returns the newest checkpoint in a shard of the scratch store. whole is false if there is
// none, if the newest is corrupt, or if it belongs to another name.
func (s *Store) marker(ctx context.Context, scratch int, name string) (m checkpoint.Marker, whole bool, err error) {
	m, passedOver, err := s.scratch.Load(ctx, scratch)
	switch {
	case errors.Is(err, checkpoint.ErrNone), errors.Is(err, checkpoint.ErrCorrupt):
		return m, false, nil
	case err != nil:
		return m, false, err
	}
	state, ok := cutName(m.State, name)
	m.State = state
	return m, ok && passedOver == nil, nil
}

func (sh *shard) read(half int) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.half, sh.settled = half, true
}

// scratchOf returns the shard of the scratch store that Get, List and Begin use.
func (s *Store) scratchOf(number int) (int, error) {
	sh, err := s.shard(number)
	if err != nil {
		return 0, err
	}
	sh.mu.Lock()
	half, settled := sh.half, sh.settled
	sh.mu.Unlock()
	if settled {
		return scratchNumber(number, half), nil
	}
	name, err := s.place.Name(number)
	if err != nil {
		return 0, fmt.Errorf("shard %d: %w", number, err)
	}
	sh.io.Lock()
	defer sh.io.Unlock()
	half, _, err = s.settle(s.life, sh, name)
	return scratchNumber(number, half), err
}

// Get reads from the scratch.
func (s *Store) Get(number int, k messages.Key) (checkpoint.Entry, error) {
	scratch, err := s.scratchOf(number)
	if err != nil {
		return checkpoint.Entry{}, err
	}
	e, err := s.scratch.Get(scratch, k)
	if err != nil || e.Marker.State == nil {
		return e, err
	}
	name, err := s.place.Name(number)
	if err != nil {
		return e, fmt.Errorf("shard %d: %w", number, err)
	}
	state, ok := cutName(e.Marker.State, name)
	if e.Marker.State = state; !ok {
		e.Marker = checkpoint.Marker{} // belongs to an earlier checkpoint of the scratch
	}
	return e, nil
}

// List reads from the scratch.
func (s *Store) List(number int, tenant, prefix, after string, yield func(checkpoint.Entry) bool) error {
	scratch, err := s.scratchOf(number)
	if err != nil {
		return err
	}
	return s.scratch.List(scratch, tenant, prefix, after, yield)
}

// Shared is true: all processes read the place.
func (s *Store) Shared() bool { return true }

// Forget also releases the shard, if this process leads it.
func (s *Store) Forget(number int) error {
	sh, err := s.shard(number)
	if err != nil {
		return fmt.Errorf("forget shard: %w", err)
	}
	sh.lead(false)
	sh.io.Lock()
	defer sh.io.Unlock()
	err = errors.Join(sh.release(), s.scratch.Forget(scratchNumber(number, 0)), s.scratch.Forget(scratchNumber(number, 1)))
	if err != nil {
		return fmt.Errorf("forget shard %d: %w", number, err)
	}
	return nil
}

// named writes a checkpoint into the scratch with the place's name, so that one of another cluster,
// or of another tenant that had the shard's number, is not used.
type named struct {
	checkpoint.Writer
	name string
}

func (n *named) Commit(m checkpoint.Marker) (messages.Position, error) {
	m.State = addName(m.State, n.name)
	return n.Writer.Commit(m)
}

func addName(state []byte, name string) []byte {
	b := binary.AppendUvarint(nil, uint64(len(name)))
	return append(append(b, name...), state...)
}

func cutName(b []byte, name string) (state []byte, ok bool) {
	n, used := binary.Uvarint(b)
	if used <= 0 || n > uint64(len(b)-used) {
		return nil, false
	}
	return b[used+int(n):], bytes.Equal(b[used:used+int(n)], []byte(name))
}
