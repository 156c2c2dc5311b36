package actors

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/eventlog/checkpoint"
	checkpoints "github.com/dashfeed/dashfeed/eventlog/checkpoint/embedded"
	logs "github.com/dashfeed/dashfeed/eventlog/embedded"
	"github.com/dashfeed/dashfeed/eventlog/pulsar/pulsartest"
	"github.com/dashfeed/dashfeed/feed"
	"github.com/dashfeed/dashfeed/fold"
	"github.com/dashfeed/dashfeed/fold/definition"
	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/cells"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(onPulsar{m},
		// Pulsar's client runs it for up to a send's timeout after its producer was closed.
		goleak.IgnoreTopFunction("github.com/apache/pulsar-client-go/pulsar.(*partitionProducer).failTimeoutMessages"),
		// Pulsar's client waits for the rest of a chunked message for a minute.
		goleak.IgnoreTopFunction("github.com/apache/pulsar-client-go/pulsar.(*chunkedMsgCtxMap).discardChunkIfExpire"))
}

// onPulsar stops the broker of the tests that need a real one.
type onPulsar struct{ m *testing.M }

func (p onPulsar) Run() int { return pulsartest.Main(p.m) }

// node is a host over a real log and a real store, on a file system in memory that outlives them.
type node struct {
	*testing.T
	fs        vfs.FS
	change    func(*Config)
	log       *logs.Log
	store     *checkpoints.Store
	host      *Host
	metrics   *prometheus.Registry
	unordered bool // launch loads no shard
}

// newNode starts a host with two partitions, frequent checkpoints and no sleep, unless change sets
// something else.
func newNode(t *testing.T, change func(*Config)) *node {
	n := &node{T: t, fs: vfs.NewMem(), change: change}
	n.start()
	t.Cleanup(func() { n.stop(context.Background()) })
	return n
}

// everySecond sets the interval of checkpoints to one second.
func everySecond(c *Config) { c.CheckpointEvery = time.Second }

// ended returns a context that has ended.
func ended(parent context.Context) context.Context {
	ctx, cancel := context.WithCancel(parent)
	cancel()
	return ctx
}

// blockFold defines the dashboard and makes its fold wait at an event until release is called.
func (n *node) blockFold(dashboard string) (release func()) {
	n.Helper()
	n.append(n.define(dashboard, 1, "panels: [{id: p, window: {count: 1000}, aggregates: [count, stuck]}]"))
	n.read(dashboard)
	opened := make(chan struct{})
	gate <- opened
	n.append(event1(dashboard, "m", block))
	return func() { close(opened) }
}

func (n *node) start() {
	n.Helper()
	n.open()
	n.run()
}

func (n *node) open() {
	n.Helper()
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	lc := logs.Default("/log")
	lc.Partitions, lc.Storage.FS, lc.Storage.Logger = 2, n.fs, quiet
	cc := checkpoints.Default("/checkpoints")
	cc.Storage.FS, cc.Storage.Logger = n.fs, quiet
	var err error
	n.log, err = logs.Open(lc)
	n.check(err)
	n.store, err = checkpoints.Open(cc)
	n.check(err)
}

func (n *node) run() {
	n.Helper()
	n.launch()
	n.until("live", func() bool { return n.host.Ready() == nil })
}

// launch is like run, but does not wait.
func (n *node) launch() {
	n.Helper()
	c := Default()
	c.Log, c.Checkpoints, c.Table = n.log, n.store, table()
	n.metrics = prometheus.NewRegistry()
	c.Metrics = n.metrics
	c.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	c.CheckpointEvery, c.SleepAfter = 20*time.Millisecond, time.Hour
	if n.change != nil {
		n.change(&c)
	}
	var err error
	n.host, err = New(c)
	n.check(err)
	n.check(n.host.Start(n.Context()))
	if !n.unordered {
		n.host.OwnAll()
	}
}

// shard returns the host's shard of that number.
func (n *node) shard(number int) *shard {
	n.Helper()
	n.host.mu.RLock()
	defer n.host.mu.RUnlock()
	s, err := n.host.assignments[number].current()
	n.check(err)
	return s
}

// deadLetters is how long the actor library keeps a goroutine after a message to an actor that has
// ended. A bubble must outlive it.
const deadLetters = 2 * time.Millisecond

// stop stops everything. With a ctx that has ended it skips the last checkpoint.
func (n *node) stop(ctx context.Context) {
	n.Helper()
	if n.host == nil {
		return
	}
	if err := n.host.Stop(ctx); err != nil && ctx.Err() == nil {
		n.Error(err)
	}
	n.host.runners.Wait()
	time.Sleep(deadLetters)
	n.check(n.store.Close())
	n.check(n.log.Close())
	n.host = nil
}

func (n *node) restart() {
	n.Helper()
	n.stop(n.Context())
	n.start()
}

func (n *node) check(err error) {
	n.Helper()
	if err != nil {
		n.Fatal(err)
	}
}

// until waits for a condition that no channel reports.
func (n *node) until(what string, done func() bool) {
	n.Helper()
	for end := time.Now().Add(20 * time.Second); !done(); {
		if time.Now().After(end) {
			n.Fatalf("not in time: %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

func key(dashboard string) messages.Key { return messages.Key{Tenant: "default", Dashboard: dashboard} }

// at is the event time of tests: they fold by event time and need no clock. A bubble's clock begins
// earlier, so there it is the present time.
const at = 1_795_422_000_000

// event1 makes an entry with one event. extra is appended to its JSON.
func event1(dashboard, metric string, value float64, extra ...string) eventlog.Entry {
	more := strings.Join(extra, "")
	return eventlog.Entry{
		Kind: messages.KindEvent, Key: key(dashboard),
		Payload: fmt.Appendf(nil, `{"dashboard":%q,"metric":%q,"value":%v,"time":%d%s}`, dashboard, metric, value, min(at, time.Now().UnixMilli()), more),
	}
}

func (n *node) append(entries ...eventlog.Entry) []eventlog.Receipt {
	n.Helper()
	receipts, err := n.log.Append(n.Context(), entries)
	n.check(err)
	return receipts
}

// home returns the dashboard's home partition.
func (n *node) home(dashboard string) int {
	n.Helper()
	p, err := n.log.PartitionOf(key(dashboard))
	n.check(err)
	return p
}

// read reads the dashboard after everything in the log is folded.
func (n *node) read(dashboard string) feed.Reading {
	n.Helper()
	p := n.home(dashboard)
	last, err := n.log.Last(n.Context(), p)
	n.check(err)
	ctx, cancel := context.WithTimeout(n.Context(), 20*time.Second)
	defer cancel()
	r, err := n.host.Read(ctx, key(dashboard), feed.Query{After: &feed.After{Partition: p, Position: last}, Lists: true})
	n.check(err)
	return r
}

// recount folds the whole log again, in order.
func (n *node) recount() []*fold.Shard {
	n.Helper()
	shards := make([]*fold.Shard, n.log.Partitions())
	for p := range shards {
		shards[p] = fold.NewShard("local", table())
		for _, r := range n.records(p) {
			shards[p].Fold(r)
		}
	}
	return shards
}

// records returns all records of a partition.
func (n *node) records(partition int) (all []messages.Record) {
	n.Helper()
	last, err := n.log.Last(n.Context(), partition)
	n.check(err)
	r, err := n.log.Read(partition, messages.Position{})
	n.check(err)
	for at := (messages.Position{}); last.After(at); {
		records, err := r.Next(n.Context(), 100)
		n.check(err)
		for _, one := range records {
			one.Payload = bytes.Clone(one.Payload)
			one.Key = messages.Key{Tenant: strings.Clone(one.Key.Tenant), Dashboard: strings.Clone(one.Key.Dashboard)}
			at, all = one.Position, append(all, one)
		}
	}
	n.check(r.Close())
	return all
}

// compare compares the store after the host was stopped with the recount: all dashboards, byte for
// byte.
func (n *node) compare() {
	n.Helper()
	n.stop(n.Context())
	n.open()
	defer func() {
		n.check(n.store.Close())
		n.check(n.log.Close())
	}()
	programs := newPrograms(table())
	dashboards := 0
	for p, shard := range n.recount() {
		m, _, err := n.store.Load(n.Context(), p) // a damaged marker may still be skipped
		if errors.Is(err, checkpoint.ErrNone) && len(shard.Keys()) == 0 {
			continue
		}
		n.check(err)
		state, err := fold.DecodeShardState(m.State, table())
		n.check(err)
		for _, k := range shard.Keys() {
			want := shard.Dashboard(k)
			e, err := n.store.Get(p, k)
			n.check(err)
			got, err := fold.Decode(e.State, programs.compileCanonical)
			n.check(err)
			got.Advance(state.LogTime())
			want.Advance(state.LogTime())
			if g, w := got.Append(nil), want.Append(nil); string(g) != string(w) || got.Version() != want.Version() {
				n.Errorf("%s: epoch %s version %d position %s, want %s %d %s; states of %d and %d bytes",
					k, got.Epoch(), got.Version(), got.Position(), want.Epoch(), want.Version(), want.Position(), len(g), len(w))
			}
			dashboards++
		}
	}
	if dashboards == 0 {
		n.Error("nothing was compared")
	}
}

// mirror is a viewer like that of a gateway: it applies updates and asks again.
type mirror struct {
	t       *testing.T
	sub     feed.Subscription
	updates chan *feed.Update // one answer to an ask, so it never holds more
	epoch   messages.Epoch
	set     cells.Set
	excess  atomic.Int32
}

func (n *node) subscribe(dashboard string) *mirror {
	n.Helper()
	m := &mirror{t: n.T, updates: make(chan *feed.Update, 1)}
	var err error
	m.sub, err = n.host.Subscribe(key(dashboard), m)
	n.check(err)
	return m
}

func (m *mirror) Deliver(u *feed.Update) {
	select {
	case m.updates <- u:
	default:
		m.excess.Add(1)
	}
}

// next asks, waits for the answer and applies it.
func (m *mirror) next() *feed.Update {
	m.t.Helper()
	m.sub.Ask(feed.Place{Epoch: m.epoch, Version: m.set.Version()})
	return m.take()
}

func (m *mirror) take() *feed.Update {
	m.t.Helper()
	select {
	case u := <-m.updates:
		if u.Epoch != m.epoch {
			m.epoch, m.set = u.Epoch, cells.Set{}
		}
		if err := m.set.Apply(u.Update); err != nil {
			m.t.Fatal(err)
		}
		return u
	case <-time.After(20 * time.Second):
		m.t.Fatal("no answer")
		return nil
	}
}

// untilVersion follows the dashboard to a version.
func (m *mirror) untilVersion(v uint64) {
	m.t.Helper()
	for m.set.Version() < v {
		m.next()
	}
}

// row returns the values of the only cell of a panel.
func (m *mirror) row(panel uint16) string {
	var s []string
	for _, c := range m.set.Cells() {
		if c.Panel == panel {
			values, _ := c.Row.Values()
			s = append(s, fmt.Sprint(c.Revision, values))
		}
	}
	return strings.Join(s, " ")
}

// define makes an entry that defines a dashboard.
func (n *node) define(dashboard string, revision uint64, yaml string) eventlog.Entry {
	n.Helper()
	defs, err := definition.Parse("test.yaml", []byte("dashboard: "+dashboard+"\n"+yaml), definition.Options{Aggregates: table().Names()})
	n.check(err)
	r := definition.Record{Revision: revision, Region: "local", Definition: defs[0]}
	return eventlog.Entry{Kind: messages.KindDefinition, Key: key(dashboard), Payload: r.Append(nil)}
}
