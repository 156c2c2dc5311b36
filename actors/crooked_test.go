package actors

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"sync"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/messages"
)

// crooked is a log with producers that do not route as the log does: one in every `every` entries
// is put into a partition that is not its home, unless it is a forwarded one. Records are in
// envelopes without a key, so that any partition accepts them.
type crooked struct {
	eventlog.Log
	every int

	mu     sync.Mutex
	random *rand.Rand
	down   error // Append fails
}

type envelope struct {
	Key     messages.Key
	Origin  messages.Origin
	Payload []byte
}

func (c *crooked) Append(ctx context.Context, entries []eventlog.Entry) ([]eventlog.Receipt, error) {
	wrapped := make([]eventlog.Entry, len(entries))
	for i, e := range entries {
		p := e.Partition
		if e.Key.Dashboard != "" {
			p, _ = c.PartitionOf(e.Key)
			if e.Origin.Position.IsZero() {
				p = c.elsewhere(p)
			}
		}
		payload, err := json.Marshal(envelope{e.Key, e.Origin, e.Payload})
		if err != nil {
			return nil, err
		}
		wrapped[i] = eventlog.Entry{Kind: e.Kind, Key: messages.Key{Tenant: e.Key.Tenant}, Partition: p, Payload: payload}
	}
	c.mu.Lock()
	down := c.down
	c.mu.Unlock()
	if down != nil {
		return nil, down
	}
	return c.Log.Append(ctx, wrapped)
}

// wrap returns the payload of a record in an envelope.
func wrap(k messages.Key, payload []byte) []byte {
	b, err := json.Marshal(envelope{Key: k, Payload: payload})
	if err != nil {
		panic(err)
	}
	return b
}

func (c *crooked) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.down = err
}

func (c *crooked) elsewhere(home int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.every == 0 || c.random.IntN(c.every) > 0 {
		return home
	}
	return c.random.IntN(c.Partitions())
}

func (c *crooked) Read(partition int, after messages.Position) (eventlog.Reader, error) {
	r, err := c.Log.Read(partition, after)
	if err != nil {
		return nil, err
	}
	return &unwrapping{r}, nil
}

type unwrapping struct{ eventlog.Reader }

func (u *unwrapping) Next(ctx context.Context, limit int) ([]messages.Record, error) {
	records, err := u.Reader.Next(ctx, limit)
	for i := range records {
		var e envelope
		if err := json.Unmarshal(records[i].Payload, &e); err != nil {
			return nil, err
		}
		records[i].Key, records[i].Origin, records[i].Payload = e.Key, e.Origin, e.Payload
	}
	return records, err
}
