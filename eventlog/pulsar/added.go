package pulsar

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"time"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/eventlog/pulsar/entries"
	"github.com/dashfeed/dashfeed/messages"
)

// Partitions that were added to a tenant's topic since the tenant was made are nobody's home: the
// number that decides a home never changes. What other clients produce to them is forwarded home,
// in order, by one process of the cluster: whoever holds the partition's guard subscription alone,
// which also remembers how far it has come. After a crash some records are forwarded again; home
// tells by their origin that it has them.
const (
	forwardMost  = 512     // records of one append, but for one entry's
	forwardBytes = 1 << 20 // payloads of one append, but for one entry's
	forwardAgain = 5 * time.Second
)

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
	f := &forwarder{l: l, p: p, decoder: newDecoder(l, p), from: from}
	defer f.decoder.close()
	for {
		last, err := f.gather()
		if err != nil {
			return err
		}
		if err := f.send(); err != nil {
			return err
		}
		// they come again, and home knows them
		if err := from.Acknowledge(last.Ledger, last.Entry); err != nil {
			return unreachable(err)
		}
	}
}

// forwarder is what a process has of an added partition that it forwards.
type forwarder struct {
	l       *Log
	p       *partition
	decoder *decoder
	from    *entries.Reader
	begun   bool
	chunks  entries.Assembler
	each    []entries.Message // of one entry
	records []messages.Record // of one message
	entries []eventlog.Entry  // to be appended
	bytes   int               // payloads of entries
}

// gather takes an entry, and those that are there already, as far as one append goes.
func (f *forwarder) gather() (last *entries.Entry, err error) {
	f.entries, f.bytes = f.entries[:0], 0
	for last == nil || f.from.More() && len(f.entries) < forwardMost && f.bytes < forwardBytes {
		if last, err = f.from.Next(f.l.life); err != nil {
			return nil, err
		}
		if err := f.take(last); err != nil {
			return nil, err
		}
	}
	return last, nil
}

// take makes entries of an entry's records. Ticks, and what is no dashboard's, end here; what was
// forwarded before came here by a mistake.
func (f *forwarder) take(e *entries.Entry) (err error) {
	if !f.begun {
		f.begun, f.chunks = true, entries.AssembleFrom(e.Ledger, e.Entry, false)
	}
	f.chunks.See(e)
	if e.Chunked() {
		e, err = f.l.assemble(f.l.life, &f.chunks, e, func(ctx context.Context, ledger, entry int64) (entrance, error) {
			return f.l.enter(ctx, f.p, ledger, entry)
		})
		if e == nil || err != nil {
			return err
		}
	}
	f.each = e.Messages(f.each[:0])
	for i := range f.each {
		if err := f.takeOne(received{&f.each[i], e}); err != nil {
			return err
		}
	}
	return nil
}

func (f *forwarder) takeOne(m received) error {
	v, err := f.decoder.verify(f.l.life, m)
	if err != nil {
		return err
	}
	if f.records, err = f.decoder.records(f.records[:0], m, v, messages.Position{}); err != nil {
		return err
	}
	for i := range f.records {
		r := &f.records[i]
		if r.Refused != "" {
			f.refused(r)
			continue
		}
		if r.Key.Dashboard == "" || r.Kind == messages.KindTick || !r.Origin.Position.IsZero() {
			continue
		}
		f.bytes += len(r.Payload)
		f.entries = append(f.entries, eventlog.Entry{
			Kind: r.Kind, Key: messages.Key{Tenant: r.Key.Tenant, Dashboard: strings.Clone(r.Key.Dashboard)},
			Origin: messages.Origin{Partition: f.p.shard, Position: r.Position}, Payload: bytes.Clone(r.Payload),
			EventTime: r.EventTime,
		})
	}
	return nil
}

// refused tells of a message that goes to no dashboard. There is no shard that could list it.
func (f *forwarder) refused(r *messages.Record) {
	f.l.metrics.unaddressed.WithLabelValues(r.Refused).Inc()
	f.l.logger.Warn("a message in a partition that was added is refused: no dashboard gets it",
		"topic", f.p.topic, "position", r.Position, "key", r.Key.Dashboard, "producer", r.Producer, "reason", r.Refused)
}

// send appends the entries until they are stored, or the log is closed.
func (f *forwarder) send() error {
	if len(f.entries) == 0 {
		return nil
	}
	return eventlog.Insist(f.l.life, f.l, f.entries, eventlog.Insistence{
		Stored: func(n int) { f.l.metrics.forwarded.Add(float64(n)) },
		Refused: func(e eventlog.Entry, err error) {
			f.l.logger.Error("a record of a partition that was added can't be forwarded to its home and is passed over",
				"topic", f.p.topic, "position", e.Origin.Position, "key", e.Key, "error", err)
		},
		Again: func(err error, wait time.Duration) {
			f.l.logger.Warn("records of a partition that was added can't be forwarded to their homes, trying again", "topic", f.p.topic, "error", err, "after", wait)
		},
	})
}
