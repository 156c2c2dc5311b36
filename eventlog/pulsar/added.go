package pulsar

import (
	"context"
	"sync"
	"time"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/eventlog/forward"
	"github.com/dashfeed/dashfeed/eventlog/pulsar/entries"
	"github.com/dashfeed/dashfeed/messages"
)

// Partitions that were added to a tenant's topic since the tenant was made are nobody's home: the
// number that decides a home never changes. What other clients produce to them is forwarded home,
// in order, by one process of the cluster: whoever holds the partition's guard subscription alone,
// which also remembers how far it has come. After a crash some records are forwarded again; home
// tells by their origin that it has them.
const forwardAgain = 5 * time.Second

// maxOrigin is the greatest number that stands for a partition in an origin: a shard's, or that of
// an added partition, which is maxShards and its number within its topic.
const maxOrigin = maxShards + MaxPartitions

// added are the partitions that this process forwards, or waits to forward, by their topics.
type added struct {
	mu        sync.Mutex
	following map[string]bool
}

// followAdded has the partitions beyond the tenant's own forwarded from now on, until Close.
func (l *Log) followAdded(x *tenant, partitions int) {
	l.added.mu.Lock()
	defer l.added.mu.Unlock()
	for n := x.Partitions; n < partitions; n++ {
		p := &partition{shard: maxShards + n, tenant: x, number: n, topic: PartitionTopic(EventsTopic(x.Name), n)}
		if l.added.following[p.topic] {
			continue
		}
		if l.added.following == nil {
			l.added.following = map[string]bool{}
		}
		l.added.following[p.topic] = l.work(func() { l.followOne(p) })
	}
}

// followOne forwards what the partition holds; while another process does, it waits for its turn.
func (l *Log) followOne(p *partition) {
	for {
		err := l.forward(p)
		switch {
		case l.life.Err() != nil:
			return
		case entries.IsBusy(err):
			l.logger.Debug("another process forwards the records of a partition that was added", "topic", p.topic)
		default:
			l.logger.Warn("records of a partition that was added can't be forwarded to their homes, trying again", "topic", p.topic, "error", err, "after", forwardAgain)
		}
		if !eventlog.Pause(l.life, forwardAgain) {
			return
		}
	}
}

// forward holds the partition's guard and forwards until the log is closed or something is wrong.
func (l *Log) forward(p *partition) error {
	from, err := l.enterOnce(l.life, func(ctx context.Context, o entries.Options) (*entries.Reader, error) {
		return entries.Hold(ctx, o, p.topic, GuardName(l.config.Cluster))
	})
	if err != nil {
		return l.enterError(p, err)
	}
	defer from.Close()
	f := &addedRecords{l: l, p: p, decoder: newDecoder(l, p), from: from}
	defer f.decoder.close()
	return forward.Run(l.life, f, f.entryOf, l.homesOf(p))
}

// homesOf is where what lies in an added partition goes.
func (l *Log) homesOf(p *partition) forward.Home {
	return forward.Home{
		Log:    l,
		Stored: func(n int) { l.metrics.forwarded.Add(float64(n)) },
		Refused: func(e eventlog.Entry, err error) {
			l.logger.Error("a record of a partition that was added can't be forwarded to its home and is passed over",
				"topic", p.topic, "position", e.Origin.Position, "key", e.Key, "error", err)
		},
		Again: func(err error, wait time.Duration) {
			l.logger.Warn("records of a partition that was added can't be forwarded to their homes, trying again", "topic", p.topic, "error", err, "after", wait)
		},
	}
}

// addedRecords are what an added partition holds, from where its guard stands.
type addedRecords struct {
	l       *Log
	p       *partition
	decoder *decoder
	from    *entries.Reader
	begun   bool
	last    *entries.Entry // that was read
	chunks  entries.Assembler
	each    []entries.Message // of one entry
	records []messages.Record
}

// Next takes an entry, and those that are there already, as far as one append goes. Of an entry
// that holds no message nothing comes.
func (f *addedRecords) Next(ctx context.Context) (all []messages.Record, err error) {
	f.records, f.last = f.records[:0], nil
	for bytes := 0; f.last == nil || f.from.More() && len(f.records) < forward.AtOnce && bytes < forward.BytesAtOnce; {
		if f.last, err = f.from.Next(ctx); err != nil {
			return nil, err
		}
		n := len(f.records)
		if err := f.take(ctx, f.last); err != nil {
			return nil, err
		}
		for i := range f.records[n:] {
			bytes += len(f.records[n+i].Payload)
		}
	}
	return f.records, nil
}

// Commit moves the guard. Where that does not come through the records come again, and home knows
// them.
func (f *addedRecords) Commit(context.Context) error {
	if err := f.from.Acknowledge(f.last.Ledger, f.last.Entry); err != nil {
		return unreachable(err)
	}
	return nil
}

// entryOf makes an entry of a record. Ticks, and what is no dashboard's, end here; what was
// forwarded before came here by a mistake.
func (f *addedRecords) entryOf(all []eventlog.Entry, r *messages.Record) []eventlog.Entry {
	switch {
	case r.Refused != "":
		f.refused(r)
	case forward.Goes(r):
		all = append(all, forward.Entry(r, f.p.shard))
	}
	return all
}

// take adds an entry's records.
func (f *addedRecords) take(ctx context.Context, e *entries.Entry) (err error) {
	if !f.begun {
		f.begun, f.chunks = true, entries.AssembleFrom(e.Ledger, e.Entry, false)
	}
	f.chunks.See(e)
	if e.Chunked() {
		e, err = f.l.assemble(ctx, &f.chunks, e, func(ctx context.Context, ledger, entry int64) (entrance, error) {
			return f.l.enter(ctx, f.p, ledger, entry)
		})
		if e == nil || err != nil {
			return err
		}
	}
	f.each = e.Messages(f.each[:0])
	for i := range f.each {
		m := received{&f.each[i], e}
		v, err := f.decoder.verify(ctx, m)
		if err != nil {
			return err
		}
		if f.records, err = f.decoder.records(f.records, m, v, messages.Position{}); err != nil {
			return err
		}
	}
	return nil
}

// refused tells of a message that goes to no dashboard. There is no shard that could list it.
func (f *addedRecords) refused(r *messages.Record) {
	f.l.metrics.unaddressed.WithLabelValues(r.Refused).Inc()
	f.l.logger.Warn("a message in a partition that was added is refused: no dashboard gets it",
		"topic", f.p.topic, "position", r.Position, "key", r.Key.Dashboard, "producer", r.Producer, "reason", r.Refused)
}
