package shared

import (
	"context"
	"errors"
	"fmt"

	"github.com/dashfeed/dashfeed/eventlog/checkpoint"
	"github.com/dashfeed/dashfeed/messages"
)

// Pointer is a Place that knows the position of the newest checkpoint without reading it. Store
// reads the checkpoint of other places.
type Pointer interface {
	// Newest returns that position; zero if there is no checkpoint.
	Newest(ctx context.Context, shard int) (messages.Position, error)
}

// Newest returns the position of the newest checkpoint in the place, where a process without
// checkpoints of its own would begin; zero if there is none.
func (s *Store) Newest(ctx context.Context, number int) (messages.Position, error) {
	at, err := s.pointTo(ctx, number)
	if err != nil {
		return at, fmt.Errorf("newest checkpoint of shard %d: %w", number, err)
	}
	return at, nil
}

func (s *Store) pointTo(ctx context.Context, number int) (messages.Position, error) {
	if p, ok := s.place.(Pointer); ok {
		return p.Newest(ctx, number)
	}
	var last skipped
	_, _, err := s.place.Fetch(ctx, number, messages.Position{}, func() (checkpoint.Writer, error) { return &last, nil })
	if errors.Is(err, checkpoint.ErrNone) || errors.Is(err, checkpoint.ErrCorrupt) {
		return messages.Position{}, nil
	}
	return last.at, err
}

// skipped discards a checkpoint and keeps its position.
type skipped struct{ at messages.Position }

func (*skipped) Put(checkpoint.Entry) error { return nil }

func (*skipped) Again(messages.Key) error { return nil }

func (*skipped) Remove(messages.Key) error { return nil }

func (s *skipped) Commit(m checkpoint.Marker) (messages.Position, error) {
	s.at = m.Position
	return messages.Position{}, nil
}

func (*skipped) Abort() error { return nil }
