package actors

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	client "github.com/apache/pulsar-client-go/pulsar"
	"github.com/apache/pulsar-client-go/pulsar/crypto"
	clientlog "github.com/apache/pulsar-client-go/pulsar/log"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/dashfeed/dashfeed/eventlog"
	checkpoints "github.com/dashfeed/dashfeed/eventlog/checkpoint/pulsar"
	"github.com/dashfeed/dashfeed/eventlog/checkpoint/shared"
	"github.com/dashfeed/dashfeed/eventlog/pulsar"
	"github.com/dashfeed/dashfeed/eventlog/pulsar/pulsartest"
	"github.com/dashfeed/dashfeed/feed"
	"github.com/dashfeed/dashfeed/messages"
)

// station is a host on a real broker, with its own connections, scratch store and log. Its tenant
// has one partition.
type station struct {
	*testing.T
	broker  *pulsartest.Cluster
	name    string
	tenant  string
	scratch string
	shard   int
	log     *pulsar.Log
	store   *shared.Store
	host    *Host
	metrics *prometheus.Registry
}

var (
	tenants  atomic.Int64
	starting sync.Mutex // Pulsar refuses to create what another client is creating at the moment
)

// newStations starts hosts of those names without shards, with a tenant for the test.
func newStations(t *testing.T, names ...string) []*station {
	t.Helper()
	broker := pulsartest.Shared(t)
	tenant := fmt.Sprintf("a%d~%d", os.Getpid(), tenants.Add(1))
	var all []*station
	for _, name := range names {
		s := &station{T: t, broker: broker, name: name, tenant: tenant, scratch: t.TempDir()}
		s.startFirst()
		t.Cleanup(s.stop)
		all = append(all, s)
	}
	return all
}

func (s *station) startFirst() {
	s.Helper()
	starting.Lock()
	defer starting.Unlock()
	s.start()
}

func (s *station) start() {
	s.Helper()
	quiet := slog.New(slog.DiscardHandler)
	lc := pulsar.Default(s.broker.BrokerURL, s.broker.AdminURL)
	lc.Cluster, lc.Logger, lc.CheckEvery, lc.Keys = "actors", quiet, 0, pulsartest.Keys()
	var err error
	s.log, err = pulsar.Open(s.Context(), lc)
	s.check(err)
	s.check(s.log.AddTenant(s.Context(), pulsar.Tenant{Name: s.tenant, Partitions: 1}))
	s.shard, _, err = s.log.Tenant(s.tenant)
	s.check(err)
	sc := shared.Default(s.scratch)
	sc.Scratch.Storage.Logger, sc.Logger = quiet, quiet
	s.store, err = checkpoints.Open(checkpoints.Config{
		BrokerURL: s.broker.BrokerURL, AdminURL: s.broker.AdminURL, Cluster: "actors", Node: s.name, Guard: pulsar.GuardName("actors"),
		Topic:  func(int) (string, error) { return pulsar.PartitionTopic(pulsar.CheckpointsTopic(s.tenant), 0), nil },
		Shared: sc, Logger: quiet,
	})
	s.check(err)
	c := Default()
	c.Log, c.Checkpoints, c.Table, c.Logger = s.log, s.store, table(), quiet
	s.metrics = prometheus.NewRegistry()
	c.Metrics = s.metrics
	c.CheckpointEvery = 200 * time.Millisecond
	s.host, err = New(c)
	s.check(err)
	s.check(s.host.Start(s.Context()))
}

// stop stops the host with a last checkpoint.
func (s *station) stop() {
	s.Helper()
	if s.host == nil {
		return
	}
	if err := s.host.Stop(context.Background()); err != nil {
		s.Error(err)
	}
	if err := s.store.Close(); err != nil {
		s.Error(err)
	}
	if err := s.log.Close(); err != nil {
		s.Error(err)
	}
	s.host = nil
}

func (s *station) check(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(s.name, ": ", err)
	}
}

func (s *station) until(what string, done func() bool) {
	s.Helper()
	(&node{T: s.T}).until(s.name+": "+what, done)
}

// state returns what the host claims of the shard; 0: nothing.
func (s *station) state() messages.ClaimState {
	for _, c := range s.host.Claims() {
		if c.Shard == s.shard {
			return c.State
		}
	}
	return 0
}

func (s *station) untilLive() {
	s.Helper()
	s.until("live", func() bool { return s.state() == messages.Live })
}

func (s *station) key() messages.Key { return messages.Key{Tenant: s.tenant, Dashboard: "d"} }

// append stores n events of dashboard d, each in its own message.
func (s *station) append(n int) eventlog.Receipt {
	s.Helper()
	var last eventlog.Receipt
	for i := range n {
		receipts, err := s.log.Append(s.Context(), []eventlog.Entry{{
			Kind: messages.KindEvent, Key: s.key(), Payload: fmt.Appendf(nil, `{"metric":"m","value":%d,"time":%d}`, i, at),
		}})
		s.check(err)
		last = receipts[0]
	}
	return last
}

// read reads d after everything in the log up to the receipt is folded.
func (s *station) read(after eventlog.Receipt) feed.Reading {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), 20*time.Second)
	defer cancel()
	r, err := s.host.Read(ctx, s.key(), feed.Query{After: &feed.After{Partition: after.Partition, Position: after.Position}})
	s.check(err)
	return r
}

// stranger is a producer of another program to the shard's partition.
func (s *station) stranger(o client.ProducerOptions) client.Producer {
	s.Helper()
	cl, err := client.NewClient(client.ClientOptions{
		URL: s.broker.BrokerURL, MetricsRegisterer: prometheus.NewRegistry(), Logger: clientlog.NewLoggerWithSlog(slog.New(slog.DiscardHandler)),
	})
	s.check(err)
	s.Cleanup(cl.Close)
	o.Topic = pulsar.PartitionTopic(pulsar.EventsTopic(s.tenant), 0)
	p, err := cl.CreateProducer(o)
	s.check(err)
	s.Cleanup(p.Close)
	return p
}

// The log names as its last record a message without payload from another program, which Pulsar's
// client does not deliver. The shard becomes live nevertheless and stays live, also while only such
// messages come.
func TestTheLastRecordIsNotGiven(t *testing.T) {
	all := newStations(t, "one", "two")
	one, two := all[0], all[1]
	stranger := one.stranger(client.ProducerOptions{DisableBatching: true})
	send := func() {
		_, err := stranger.Send(t.Context(), &client.ProducerMessage{Key: one.key().String(), Payload: []byte{}})
		one.check(err)
	}
	send() // the partition has no other message
	one.host.Load(one.shard)
	one.untilLive()
	one.host.Own(one.shard, true)
	one.append(3)
	send()
	two.host.Load(two.shard)
	two.untilLive()
	one.untilLive()
	for range 30 {
		send()
		// real time, because of the real broker
		for began := time.Now(); time.Since(began) < 100*time.Millisecond; time.Sleep(10 * time.Millisecond) {
			if one.state() != messages.Live {
				t.Fatal("it is not live while messages without payload come")
			}
		}
	}
	receipt := one.append(1)
	if r := two.read(receipt); r.Counters.Accepted != 4 {
		t.Errorf("%d events are counted, want 4", r.Counters.Accepted)
	}
	if ticks := one.ticks(); ticks > 1 { // of the owner, for what lies before its first record
		t.Errorf("%v ticks were appended", ticks)
	}
}

// ticks returns the number of ticks that the host has read.
func (s *station) ticks() float64 {
	n := &node{T: s.T, metrics: s.metrics}
	return n.metric("dashfeed_records_total", "tick")
}

// firstHalf passes the first parts of chunked messages and drops the last one.
type firstHalf struct {
	crypto.MessageCrypto
	crypto.KeyReader
	sent int
}

func (f *firstHalf) AddPublicKeyCipher([]string, crypto.KeyReader) error { return nil }

func (f *firstHalf) Encrypt(_ []string, _ crypto.KeyReader, _ crypto.MessageMetadataSupplier, payload []byte) ([]byte, error) {
	if f.sent++; f.sent%2 == 0 {
		return nil, errors.New("the second half is not sent")
	}
	return payload, nil
}

// The log names as its last record the first part of a chunked message whose rest never comes. It
// is no record. The shard is live nevertheless, nothing is appended for it, and it continues when a
// record comes.
func TestAnUnfinishedMessageIsLast(t *testing.T) {
	all := newStations(t, "one", "two")
	one, two := all[0], all[1]
	half := &firstHalf{}
	p := one.stranger(client.ProducerOptions{
		DisableBatching: true, EnableChunking: true, ChunkMaxMessageSize: 300,
		Encryption: &client.ProducerEncryptionInfo{KeyReader: half, MessageCrypto: half, Keys: []string{"k"}},
	})
	send := func() {
		if _, err := p.Send(t.Context(), &client.ProducerMessage{Key: "d", Payload: make([]byte, 500)}); err == nil {
			t.Fatal("all of it was sent")
		}
	}
	send() // the partition has no other message
	one.host.Load(one.shard)
	one.untilLive()
	one.host.Own(one.shard, true)
	for range 3 {
		send()
		time.Sleep(2 * time.Second) // real time, because of the real broker
		one.untilLive()
	}
	one.append(3)
	send()
	two.host.Load(two.shard)
	two.untilLive()
	one.untilLive()
	if r := two.read(one.append(1)); r.Counters.Accepted != 4 {
		t.Errorf("%d events are counted, want 4", r.Counters.Accepted)
	}
	if got := one.ticks(); got != 0 {
		t.Errorf("%v ticks were appended", got)
	}
}
