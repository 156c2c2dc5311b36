// Package pulsar is the log on Apache Pulsar.
//
//	log, err := pulsar.Open(ctx, pulsar.Default("pulsar://broker:6650", "http://broker:8080"))
//	err = log.AddTenant(ctx, pulsar.Tenant{Name: "acme", Partitions: 16})
//	receipts, err := log.Append(ctx, entries)          // stored by the bookies on return
//	reader, err := log.Read(3, position) // shard 3: a partition of some tenant's topic
//
// What it promises:
//
//  1. Every process reads what Append acknowledged, in one order, whichever broker was killed
//     meanwhile.
//  2. A record's append time is the broker's, never a producer's. If the broker gives no time or no
//     index, reading fails with an error that names the setting, and nothing after that record is
//     returned. A message that its producer says to be none is refused instead.
//  3. Entries are read as the broker stores them (package entries). Each message of an entry is
//     returned, either as what it is or as refused, whatever it holds and wherever a reader begins.
//     If an entry does not follow the one before it, and the one before is gone, the reader ends
//     with ErrTrimmed. If the one before still exists, what lies between was the broker's own, or
//     part of an aborted transaction.
//  4. The control topic numbers the shards alike in every process. A tenant that is added while
//     Dashfeed runs makes every Log grow.
//  5. Any client may produce: a plain message is an event, and its key names the dashboard (see
//     address).
//  6. What others produce to partitions that were added to a topic after its tenant was made is
//     forwarded to its home (see added).
//  7. Only a process with the cluster's key can steer. A definition, a tick or a forwarded record
//     without a valid signature becomes a refused record, no_mac or bad_mac, in every process alike
//     (see mac.go).
//
// A single event is stored like any other producer's: its JSON as payload, its dashboard as key, no
// property. Several entries of one call and partition form one packed message. The property
// dashfeed marks definitions, ticks, forwarded and packed records.
package pulsar

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/apache/pulsar-client-go/pulsar"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/eventlog/pulsar/broker"
	"github.com/dashfeed/dashfeed/eventlog/pulsar/entries"
	"github.com/dashfeed/dashfeed/messages"
)

// Log is the log of all tenants of one Pulsar cluster. It owns the goroutines that follow the
// control topic, check the broker's health, move guards and check policies, one for each open
// reader, and those of Pulsar's clients. Close joins them.
type Log struct {
	config  Config
	logger  *slog.Logger
	metrics *metrics
	said    *broker.Words
	packer  *packer

	producing, reading pulsar.Client
	admin              *broker.Admin // nil: none is configured
	guards             *entries.Cursors

	table      atomic.Pointer[table]
	control    control
	announcing chan struct{} // held while a key's id is written to the control topic
	health     health
	checks     checks
	added      added

	life context.Context // ends with Close
	end  context.CancelFunc

	mu     sync.Mutex
	closed bool
	group  sync.WaitGroup
	grown  chan struct{} // closed when the table grows

	awaited awaited // of AppendSetting
}

var (
	_ eventlog.Log     = (*Log)(nil)
	_ eventlog.Remnant = (*Log)(nil)
	_ eventlog.Lag     = (*Log)(nil)
)

// Open connects to the broker, reads the list of tenants and checks the policies of their topics.
// It returns within a small multiple of the configured timeout.
func Open(ctx context.Context, c Config) (*Log, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	l := &Log{config: c, logger: c.Logger, metrics: newMetrics(c.Metrics), said: broker.NewWords(c.Logger), packer: newPacker(c.CompressBytes), announcing: make(chan struct{}, 1), grown: make(chan struct{})}
	l.guards = entries.NewCursors(entries.Options{URL: c.BrokerURL, Security: c.Security}, GuardName(c.Cluster))
	l.table.Store(&table{})
	l.life, l.end = context.WithCancel(context.Background())
	if err := l.open(ctx); err != nil {
		_ = l.Close()
		return nil, fmt.Errorf("open log at %s: %w", c.BrokerURL, err)
	}
	return l, nil
}

func (l *Log) open(ctx context.Context) error {
	if err := l.config.checkReachable(ctx); err != nil {
		return err
	}
	var err error
	if l.config.AdminURL != "" {
		if l.admin, err = broker.NewAdmin(l.config.AdminURL, l.config.Security, l.config.Timeout); err != nil {
			return err
		}
		if err := l.prepareControl(ctx); err != nil {
			return err
		}
	}
	if l.producing, err = newClient(l.config, l.said); err != nil {
		return err
	}
	if l.reading, err = newClient(l.config, l.said); err != nil {
		return err
	}
	if err := l.startControl(ctx); err != nil {
		return err
	}
	l.health.heard(time.Now())
	l.work(l.askHealth)
	l.work(l.moveGuards)
	l.check(ctx)
	if l.config.CheckEvery > 0 {
		l.work(l.checkLoop)
	}
	return nil
}

// work starts a goroutine that Close joins. It returns false after Close.
func (l *Log) work(f func()) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	l.group.Go(f)
	return true
}

// Partitions returns the number of partitions of all tenants.
func (l *Log) Partitions() int { return len(l.table.Load().shards) }

// Tenant returns the range of the tenant's shards.
func (l *Log) Tenant(name string) (first, n int, err error) {
	t, err := l.table.Load().tenant(name)
	if err != nil {
		return 0, 0, err
	}
	return t.first, t.Partitions, nil
}

// PartitionOf returns the home of the dashboard.
func (l *Log) PartitionOf(k messages.Key) (int, error) {
	t, err := l.table.Load().tenant(k.Tenant)
	if err != nil {
		return 0, err
	}
	return t.home(k), nil
}

// Tenants returns all tenants, in the order of their shards.
func (l *Log) Tenants() []Tenant {
	t := l.table.Load()
	all := make([]Tenant, len(t.tenants))
	for i, x := range t.tenants {
		all[i] = x.Tenant
	}
	return all
}

// Grown returns a channel that is closed when Partitions grows. Call Grown first, then Partitions,
// then wait.
func (l *Log) Grown() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.grown
}

// IsFirst returns true: a reader from the zero position would have ended with ErrTrimmed if records
// before its first one were gone.
func (l *Log) IsFirst(messages.Position) bool { return true }

// Err returns ErrUnreachable while the broker has not answered for some seconds, and ErrClosed
// after Close.
func (l *Log) Err() error {
	if l.life.Err() != nil {
		return eventlog.ErrClosed
	}
	return l.health.err(time.Now())
}

// Close ends readers with ErrClosed and joins every goroutine. Appends that wait for the broker's
// answer end with an error; their entries may be stored.
func (l *Log) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.closed = true
	l.mu.Unlock()
	l.end()
	l.group.Wait()
	for _, p := range l.table.Load().shards {
		if w, ok := p.producer.drop(); ok {
			w.close()
		}
	}
	l.guards.Close()
	for _, c := range []pulsar.Client{l.producing, l.reading} {
		if c != nil {
			c.Close()
		}
	}
	if l.admin != nil {
		l.admin.Close()
	}
	l.metrics.close()
	return nil
}

// unreachable wraps a broker's error with ErrUnreachable.
func unreachable(err error) error {
	if errors.Is(err, eventlog.ErrUnreachable) {
		return err
	}
	return fmt.Errorf("%w: %w", eventlog.ErrUnreachable, err)
}
