package pulsar

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/apache/pulsar-client-go/pulsar"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/eventlog/pulsar/broker"
)

// control follows the topic that lists the tenants and the changes of the settings. Its records are
// kept for ever. The first record of a tenant counts, and the order of the records numbers the
// shards.
type control struct {
	reader atomic.Pointer[pulsar.Reader] // nil while it is opened again
	read   atomic.Int64                  // the number of records, readable or not
	failed atomic.Pointer[error]         // why it is not followed any further
	last   atomic.Pointer[place]         // the newest record that was learnt
	news   news                          // tells of one more record

	unstamped atomic.Bool // its records have no index, so the broker is not set up
}

// startControl reads the control topic to its end and continues to follow it.
func (l *Log) startControl(ctx context.Context) error {
	r, err := l.openControl()
	if err != nil {
		return err
	}
	at := &learner{}
	if err := l.catchUp(ctx, r, at); err != nil {
		r.Close()
		return err
	}
	if !l.work(func() { l.follow(r, at) }) {
		r.Close()
	}
	return nil
}

func (l *Log) openControl() (pulsar.Reader, error) {
	r, err := l.reading.CreateReader(pulsar.ReaderOptions{
		Topic: controlTopic, Name: "dashfeed-control", StartMessageID: pulsar.EarliestMessageID(), StartMessageIDInclusive: true,
		ReceiverQueueSize: 100, BackoffPolicyFunc: broker.NewBackoff, Decryption: broker.Encrypted(),
	})
	if err != nil {
		return nil, l.explain("read the control topic "+controlTopic, err)
	}
	return r, nil
}

// catchUp reads the records that are there.
func (l *Log) catchUp(ctx context.Context, r pulsar.Reader, at *learner) error {
	ctx, cancel := context.WithTimeout(ctx, 2*l.config.Timeout)
	defer cancel()
	last, err := r.GetLastMessageID()
	if err != nil {
		return l.explain("read the control topic "+controlTopic, err)
	}
	for last.EntryID() >= 0 {
		m, err := r.Next(ctx)
		if err != nil {
			return l.explain("read the control topic "+controlTopic, err)
		}
		if err := l.learn(m, at); err != nil {
			return err
		}
		if !before(m.ID(), last) {
			return nil
		}
	}
	return nil
}

func before(a, b pulsar.MessageID) bool {
	return a.LedgerID() < b.LedgerID() || a.LedgerID() == b.LedgerID() && a.EntryID() < b.EntryID()
}

// follow learns the records that come, until the log is closed. If the client gives up the reader,
// it opens another one and reads from the beginning.
func (l *Log) follow(r pulsar.Reader, at *learner) {
	for r != nil {
		l.control.reader.Store(&r)
		err := l.learnAll(r, at)
		l.control.reader.Store(nil)
		if errors.Is(err, eventlog.ErrTrimmed) {
			l.control.failed.Store(&err)
			l.logger.Error("the control topic is not followed any further: tenants added from now on are not known", "error", err)
			<-l.life.Done()
		}
		r.Close()
		r, at = l.reopenControl(err), &learner{}
	}
}

func (l *Log) learnAll(r pulsar.Reader, at *learner) error {
	for {
		m, err := r.Next(l.life)
		if err != nil {
			return err
		}
		if err := l.learn(m, at); err != nil {
			return err
		}
	}
}

func (l *Log) reopenControl(err error) pulsar.Reader {
	if l.life.Err() == nil {
		l.logger.Warn("reading the control topic stopped, trying again", "error", err)
	}
	for eventlog.Pause(l.life, broker.MostWait) {
		if r, err := l.openControl(); err == nil {
			return r
		}
	}
	return nil
}

// learner reads the control topic from its beginning.
type learner struct {
	index int64 // of the next record
	last  place
}

// learn takes the next control record. A record that this log has learnt before changes nothing. If
// the broker gives no index, learn counts the records and can't detect a loss.
func (l *Log) learn(m pulsar.Message, at *learner) error {
	here, err := placeOf(m.ID())
	if err != nil {
		return err
	}
	if at.index > 0 && here.compare(at.last) <= 0 {
		return nil // delivered twice
	}
	if index := m.Index(); index == nil {
		l.control.unstamped.Store(true)
	} else if int64(*index) != at.index {
		return fmt.Errorf("%w: control topic %s: record %d is followed by record %d, so that shards can't be numbered: bring the topic back from a copy", eventlog.ErrTrimmed, controlTopic, at.index-1, *index)
	}
	if at.index == l.control.read.Load() {
		l.take(m)
		l.control.read.Store(at.index + 1)
		l.control.last.Store(&here)
		l.control.news.tell()
	}
	at.index, at.last = at.index+1, here
	return nil
}

func (l *Log) take(m pulsar.Message) {
	var x controlRecord
	err := json.Unmarshal(m.Payload(), &x)
	switch {
	case err != nil:
	case x.Settings != nil:
		err = l.learnSetting(x.Settings)
	default:
		err = l.learnTenant(x)
	}
	if err != nil {
		l.logger.Error("a control record can't be read and counts as none", "id", m.ID(), "error", err)
	}
}

func (l *Log) learnTenant(x controlRecord) error {
	if !x.isOfKeys() {
		if err := x.tenant().validate(); err != nil {
			return err
		}
		l.grow(x.tenant())
	}
	return l.learnKeys(x)
}

func (l *Log) learnKeys(x controlRecord) error {
	if len(x.Keys) == 0 {
		return nil
	}
	t, err := l.table.Load().tenant(x.Tenant)
	if err != nil {
		return err
	}
	return t.announced.add(x.Keys)
}

// grow adds a tenant, unless it exists already.
func (l *Log) grow(x Tenant) {
	t := l.table.Load()
	if t.byName[x.Name] != nil {
		return
	}
	if len(t.shards)+x.Partitions > maxShards {
		l.logger.Error("a tenant was added beyond the number of partitions that a cluster may have, it is not served", "tenant", x.Name, "most", maxShards)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.table.Store(t.with(x, l.config.Keys))
	close(l.grown)
	l.grown = make(chan struct{})
}

// explain wraps a client's error with the newest warning that the client logged, which often says
// more.
func (l *Log) explain(what string, err error) error {
	said := l.said.String()
	if strings.Contains(said, "uthenticat") {
		return fmt.Errorf("%s: the broker does not accept the token, or wants one: %s", what, said)
	}
	return fmt.Errorf("%s: %w; the client's last complaint: %s", what, classify(err), said)
}

// news wakes those who wait for the next event. The zero value is ready.
type news struct {
	mu   sync.Mutex
	next chan struct{}
}

// wait returns a channel that the next tell closes.
func (n *news) wait() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.next == nil {
		n.next = make(chan struct{})
	}
	return n.next
}

func (n *news) tell() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.next != nil {
		close(n.next)
		n.next = nil
	}
}
