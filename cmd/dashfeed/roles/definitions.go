package roles

import (
	"bytes"
	"context"
	"time"

	"github.com/dashfeed/dashfeed/cmd/dashfeed/admin"
	"github.com/dashfeed/dashfeed/gateway"
)

// define applies the definitions of --definitions, as soon as the shards that they belong to are
// served. It skips what was applied from the same file before, by whichever gateway: the log
// remembers it for all. It ends when all are applied.
func (c *Clustered) define(ctx context.Context) {
	var last attempt
	c.keepDefining(ctx, admin.ErrStarting, func(ctx context.Context) error { return c.defineOnce(ctx, &last) })
}

// attempt holds the remembered bytes before and after one try to apply. If the new bytes could not
// be stored, the next try continues with them. Otherwise it would append definitions again that
// were replaced meanwhile, or that reset their dashboard.
type attempt struct{ before, after []byte }

func (a *attempt) over(kept []byte) []byte {
	if len(a.after) > 0 && bytes.Equal(kept, a.before) {
		return a.after
	}
	return kept
}

func (c *Clustered) defineOnce(ctx context.Context, last *attempt) error {
	const patience = 30 * time.Second // for another gateway's turn, and for the shards
	turn, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return c.log.UpdateApplied(turn, func(kept []byte) ([]byte, error) {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		now := last.over(kept)
		err := c.applyFiles(ctx, gateway.DefinitionFiles{
			Feed: c.viewer, Log: c.log, Region: Region,
			Load: func() ([]byte, error) { return now, nil },
			Save: func(b []byte) error { now = b; return nil },
		}, c.sources)
		*last = attempt{kept, now}
		return now, err
	})
}
