package shared

import (
	"context"
	"fmt"

	"github.com/dashfeed/dashfeed/messages"
)

// Newest asks the place.
func (s *Store) Newest(ctx context.Context, number int) (messages.Position, error) {
	at, err := s.place.Newest(ctx, number)
	if err != nil {
		return at, fmt.Errorf("newest checkpoint of shard %d: %w", number, err)
	}
	return at, nil
}
