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

// Partitions that were added to a tenant's topic after the tenant was made are no dashboard's home:
// the number of partitions that decides the home never changes. What other clients produce to them
// is forwarded to its home, in order, by one process of the cluster: the one that holds the
// partition's guard subscription alone. The guard also remembers how far forwarding has come. After
// a crash some records are forwarded again; the home recognizes them by their origin.
const forwardAgain = 5 * time.Second

// maxOrigin bounds the number that stands for a partition in an origin: a shard's number, or
// maxShards plus the number of an added partition within its topic.
const maxOrigin = maxShards + MaxPartitions

// added holds the added partitions that this process forwards, or waits to forward, by topic.
type added struct {
	mu        sync.Mutex
	following map[string]bool
}

// followAdded starts to forward the topic's added partitions, until Close.
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

// followOne forwards what the partition holds; it waits while another process does.
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

// forward holds the partition's guard and forwards until the log is closed or an error comes.
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

// homesOf returns where forward.Run sends the records of an added partition.
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

// addedRecords reads the records of an added partition, from the position of its guard on.
type addedRecords struct {
	l       *Log
	p       *partition
	decoder *decoder
	from    *entries.Reader
	begun   bool
	last    *entries.Entry // the last entry that was read
	chunks  entries.Assembler
	each    []entries.Message // the messages of one entry
	records []messages.Record
}

// Next reads an entry, and those that are there already, up to the size of one append. It returns
// no record for an entry that holds no message.
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

// Commit moves the guard. If it fails, the records come again, and their home recognizes them.
func (f *addedRecords) Commit(context.Context) error {
	if err := f.from.Acknowledge(f.last.Ledger, f.last.Entry); err != nil {
		return unreachable(err)
	}
	return nil
}

// entryOf appends the entry to forward for a record. It drops ticks, records of no dashboard, and
// records that were forwarded before: those came here by a mistake.
func (f *addedRecords) entryOf(all []eventlog.Entry, r *messages.Record) []eventlog.Entry {
	switch {
	case r.Refused != "":
		f.refused(r)
	case forward.Goes(r):
		all = append(all, forward.Entry(r, f.p.shard))
	}
	return all
}

// take appends an entry's records to f.records.
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

// refused reports a message that goes to no dashboard. No shard can list it.
func (f *addedRecords) refused(r *messages.Record) {
	f.l.metrics.unaddressed.WithLabelValues(r.Refused).Inc()
	f.l.logger.Warn("a message in a partition that was added is refused: no dashboard gets it",
		"topic", f.p.topic, "position", r.Position, "key", r.Key.Dashboard, "producer", r.Producer, "reason", r.Refused)
}
