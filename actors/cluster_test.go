package actors

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/eventlog/checkpoint"
	"github.com/dashfeed/dashfeed/eventlog/checkpoint/blob"
	"github.com/dashfeed/dashfeed/eventlog/checkpoint/shared"
	logs "github.com/dashfeed/dashfeed/eventlog/embedded"
	"github.com/dashfeed/dashfeed/fold"
	"github.com/dashfeed/dashfeed/messages"
)

// group is several hosts over one log. Their checkpoints are in one directory.
type group struct {
	*testing.T
	log    *crooked // the log of the hosts
	crowd  *crooked // the log of the producers, over the same records
	dir    string
	change func(*Config)
	hosts  []*member
}

// member is one host of a group, with its scratch store.
type member struct {
	host    *Host
	store   *shared.Store
	metrics *prometheus.Registry
	fs      vfs.FS
}

// newGroup starts hosts without shards, over four partitions. One record in every is put into a
// wrong partition; 0: none.
func newGroup(t *testing.T, hosts, every int, change func(*Config)) *group {
	lc := logs.Default("/log")
	lc.Partitions, lc.Storage.FS, lc.Storage.Logger = 4, vfs.NewMem(), slog.New(slog.DiscardHandler)
	log, err := logs.Open(lc)
	g := &group{
		T: t, dir: filepath.Join(t.TempDir(), "checkpoints"), change: change,
		log: &crooked{Log: log}, crowd: &crooked{Log: log, every: every, random: rand.New(rand.NewPCG(1, 2))},
	}
	g.check(err)
	for range hosts {
		m := &member{fs: vfs.NewMem()}
		g.hosts = append(g.hosts, m)
		g.start(m)
	}
	t.Cleanup(func() {
		for _, m := range g.hosts {
			g.stop(m, context.Background())
		}
		g.check(log.Close())
	})
	return g
}

func (g *group) check(err error) {
	g.Helper()
	if err != nil {
		g.Fatal(err)
	}
}

func (g *group) start(m *member) {
	g.Helper()
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	sc := shared.Default("/scratch")
	sc.Scratch.Storage.FS, sc.Scratch.Storage.Logger, sc.Logger = m.fs, quiet, quiet
	var err error
	m.store, err = blob.Open(context.Background(), blob.Config{
		URL: "file://" + g.dir, Shared: sc,
		Prefix: func(shard int) (string, error) { return fmt.Sprint("shard/", shard), nil },
	})
	g.check(err)
	c := Default()
	c.Log, c.Checkpoints, c.Table, c.Logger = g.log, m.store, table(), quiet
	m.metrics = prometheus.NewRegistry()
	c.Metrics = m.metrics
	c.CheckpointEvery, c.SleepAfter = 20*time.Millisecond, 50*time.Millisecond
	if g.change != nil {
		g.change(&c)
	}
	m.host, err = New(c)
	g.check(err)
	g.check(m.host.Start(g.Context()))
}

func (g *group) stop(m *member, ctx context.Context) {
	g.Helper()
	if m.host == nil {
		return
	}
	if err := m.host.Stop(ctx); err != nil && ctx.Err() == nil {
		g.Error(err)
	}
	m.host.runners.Wait()
	time.Sleep(deadLetters)
	g.check(m.store.Close())
	m.host = nil
}

func (g *group) append(entries ...eventlog.Entry) {
	g.Helper()
	_, err := g.crowd.Append(g.Context(), entries)
	g.check(err)
}

func (g *group) until(what string, done func() bool) {
	g.Helper()
	(&node{T: g.T}).until(what, done)
}

func (m *member) claim(shard int) (messages.Claim, bool) {
	for _, c := range m.host.Claims() {
		if c.Shard == shard {
			return c, true
		}
	}
	return messages.Claim{}, false
}

// counts sums up a metric of the member over its labels.
func (g *group) counts(m *member, name string) float64 {
	g.Helper()
	sum := 0.0
	for _, v := range (&node{T: g.T, metrics: m.metrics}).labelled(name) {
		sum += v
	}
	return sum
}

// recount folds the whole log again.
func (g *group) recount() []*fold.Shard {
	g.Helper()
	shards := make([]*fold.Shard, g.log.Partitions())
	for p := range shards {
		shards[p] = fold.NewShard("local", table())
		shards[p].Home(func(k messages.Key) bool {
			home, err := g.log.PartitionOf(k)
			return err == nil && home == p
		})
		last, err := g.log.Last(g.Context(), p)
		g.check(err)
		r, err := g.log.Read(p, messages.Position{})
		g.check(err)
		for at := (messages.Position{}); last.After(at); {
			records, err := r.Next(g.Context(), 100)
			g.check(err)
			for _, one := range records {
				if !one.Position.After(last) {
					shards[p].Fold(one)
				}
				at = one.Position
			}
		}
		g.check(r.Close())
	}
	return shards
}

// untilAllAreHome waits until every appended event is counted once in its home partition.
func (g *group) untilAllAreHome(events uint64) {
	g.Helper()
	g.until("everything is home", func() bool {
		sum := uint64(0)
		for _, s := range g.recount() {
			for _, k := range s.Keys() {
				sum += s.Dashboard(k).Counters().Accepted
			}
		}
		if sum > events {
			g.Fatalf("%d events are counted, %d were appended", sum, events)
		}
		return sum == events
	})
}

// untilFolded waits until the member has folded everything that the log has in the shard.
func (g *group) untilFolded(m *member, shard int) {
	g.Helper()
	g.until(fmt.Sprint("shard ", shard, " is folded"), func() bool {
		last, err := g.log.Last(g.Context(), shard)
		g.check(err)
		c, ok := m.claim(shard)
		return ok && c.State == messages.Live && !last.After(c.Position)
	})
}

// compare stops the member and compares its state of the shards with the recount, byte for byte.
func (g *group) compare(m *member, shards ...int) (dashboards int) {
	g.Helper()
	g.stop(m, g.Context())
	n := &node{T: g.T}
	g.start(m)
	programs := newPrograms(table())
	all := g.recount()
	for _, p := range shards {
		marker, _, err := m.store.Load(g.Context(), p)
		if errors.Is(err, checkpoint.ErrNone) && len(all[p].Keys()) == 0 {
			continue
		}
		n.check(err)
		state, err := fold.DecodeShardState(marker.State, table())
		n.check(err)
		if got, want := marker.State, all[p].State().Append(nil); string(got) != string(want) {
			g.Errorf("the state of shard %d at %s differs", p, marker.Position)
		}
		for _, k := range all[p].Keys() {
			want := all[p].Dashboard(k)
			e, err := m.store.Get(p, k)
			n.check(err)
			got, err := fold.Decode(e.State, programs.compileCanonical)
			n.check(err)
			got.Advance(state.LogTime())
			if a, b := got.Append(nil), want.Append(nil); string(a) != string(b) {
				g.Errorf("%s: epoch %s version %d position %s, want %s %d %s", k, got.Epoch(), got.Version(), got.Position(), want.Epoch(), want.Version(), want.Position())
			}
			dashboards++
		}
	}
	return dashboards
}

// Shards are loaded and dropped on three hosts in any order while records are appended, some of
// them misrouted. In the end every host that holds a shard has the same state as a recount in
// order, and every event counts once.
func TestShardsComeAndGo(t *testing.T) {
	for seed := range uint64(2) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 8))
			g := newGroup(t, 3, 3, func(c *Config) {
				c.CheckpointEvery = time.Duration(1+random.IntN(10)) * time.Millisecond
				c.SleepAfter = time.Duration(1+random.IntN(20)) * time.Millisecond
				c.BatchRecords, c.Batches = 1+random.IntN(60), 1+random.IntN(4)
				c.MaxAwakePerShard = 4 + random.IntN(40)
			})
			gone := ended(t.Context())
			events := uint64(0)
			for range 100 {
				for range random.IntN(30) {
					g.append(event1(fmt.Sprint("d", random.IntN(40)), "m", float64(random.IntN(100))))
					events++
				}
				m, shard := g.hosts[random.IntN(3)], random.IntN(4)
				switch random.IntN(8) {
				case 0:
					m.host.Drop(shard)
				case 1, 2:
					m.host.Own(shard, true)
				case 3:
					m.host.Own(shard, false)
				case 4:
					if random.IntN(6) == 0 {
						g.stop(m, gone)
						g.start(m)
					}
				default:
					m.host.Load(shard)
				}
			}
			for shard := range 4 {
				owner := random.IntN(3)
				for i, m := range g.hosts {
					m.host.Load(shard)
					m.host.Own(shard, i == owner)
				}
			}
			g.untilAllAreHome(events)
			for _, m := range g.hosts {
				for shard := range 4 {
					g.untilFolded(m, shard)
				}
			}
			for _, m := range g.hosts {
				if n := g.compare(m, 0, 1, 2, 3); n == 0 {
					t.Error("nothing was compared")
				}
			}
		})
	}
}
