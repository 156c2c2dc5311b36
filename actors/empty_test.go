package actors

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/messages"
)

// hollow is a log that names as its last position one that holds no record, behind the last record.
type hollow struct {
	eventlog.Log
	// its readers report that there is no record; otherwise they stay silent like those of a slow
	// log
	says bool
}

func (h *hollow) Last(ctx context.Context, partition int) (messages.Position, error) {
	at, err := h.Log.Last(ctx, partition)
	at.Lo += 1000
	return at, err
}

func (h *hollow) Read(partition int, after messages.Position) (eventlog.Reader, error) {
	r, err := h.Log.Read(partition, after)
	if err != nil || !h.says {
		return r, err
	}
	return &hollowReader{Reader: r, log: h, partition: partition, at: after}, nil
}

type hollowReader struct {
	eventlog.Reader
	log       *hollow
	partition int
	at        messages.Position // position of the last record returned
	told      messages.Position
}

func (r *hollowReader) NextOrPassed(ctx context.Context, limit int) (records []messages.Record, passed messages.Position, err error) {
	last, err := r.log.Log.Last(ctx, r.partition)
	if err != nil {
		return nil, passed, err
	}
	if end, _ := r.log.Last(ctx, r.partition); r.at == last && r.told != end {
		r.told = end
		return nil, end, nil
	}
	records, err = r.Next(ctx, limit)
	if err == nil {
		r.at = records[len(records)-1].Position
	}
	return records, passed, err
}

// If a log names as its last position one that holds no record, a shard becomes live once its
// reader has reported this, and not before: silence may be that of a slow log. Nothing is appended
// for it, and a checkpoint stands at a record.
func TestALogThatEndsWithNoRecord(t *testing.T) {
	for name, says := range map[string]bool{"its reader says so": true, "its reader is silent": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := &node{T: t, fs: vfs.NewMem(), change: func(c *Config) { c.Log, c.CheckpointEvery = &hollow{c.Log, says}, time.Second }}
				n.open()
				n.launch()
				t.Cleanup(func() { n.stop(context.Background()) })
				number := n.home("d")
				want := messages.Loading
				if says {
					want = messages.Live
				}
				for events := range 3 {
					if events > 0 {
						n.append(event1("d", "m", 1))
					}
					for range 8 {
						time.Sleep(500 * time.Millisecond)
						if got := n.claimed(number); got != want {
							t.Fatalf("with %d events it claims %s, want %s", events, got, want)
						}
					}
				}
				if got := n.ticks("d"); got != 0 {
					t.Errorf("%d ticks were appended", got)
				}
				last, err := n.log.Last(t.Context(), number)
				n.check(err)
				if at := n.shard(number).base().Position; at != last {
					t.Errorf("the checkpoint is at %s, the last record at %s", at, last)
				}
				n.change = nil
				n.compare()
			})
		})
	}
}
