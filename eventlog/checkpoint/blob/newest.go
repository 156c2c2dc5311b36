package blob

import (
	"context"

	"github.com/dashfeed/dashfeed/messages"
)

// Newest implements shared.Place: it reads the position from the names. A newest object that is
// not whole still counts: it was whole once.
func (p *place) Newest(ctx context.Context, shard int) (messages.Position, error) {
	prefix, err := p.prefix(shard)
	if err != nil {
		return messages.Position{}, err
	}
	l, err := p.list(ctx, prefix)
	if err != nil || len(l.checkpoints) == 0 {
		return messages.Position{}, err
	}
	return l.checkpoints[len(l.checkpoints)-1], nil
}
