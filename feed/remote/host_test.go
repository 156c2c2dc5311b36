package remote_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/dashfeed/dashfeed/actors"
	"github.com/dashfeed/dashfeed/cluster/link"
	"github.com/dashfeed/dashfeed/eventlog"
	checkpoints "github.com/dashfeed/dashfeed/eventlog/checkpoint/embedded"
	logs "github.com/dashfeed/dashfeed/eventlog/embedded"
	"github.com/dashfeed/dashfeed/feed"
	"github.com/dashfeed/dashfeed/feed/remote"
	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/wire"
)

// logDirectory places dashboards as the log does.
type logDirectory struct {
	*directory
	log eventlog.Log
}

func (d logDirectory) PartitionOf(k messages.Key) (int, error) { return d.log.PartitionOf(k) }

func (d logDirectory) Tenant(name string) (first, n int, err error) { return d.log.Tenant(name) }

// startHost starts a host over the log, with its own store.
func startHost(t *testing.T, log eventlog.Log) *actors.Host {
	t.Helper()
	cc := checkpoints.Default("/checkpoints")
	cc.Storage.FS, cc.Storage.Logger = vfs.NewMem(), quiet
	store, err := checkpoints.Open(cc)
	must(t, err)
	c := actors.Default()
	c.Log, c.Checkpoints, c.Logger = log, store, quiet
	h, err := actors.New(c)
	must(t, err)
	must(t, h.Start(t.Context()))
	t.Cleanup(func() {
		must(t, h.Stop(context.Background()))
		must(t, store.Close())
	})
	return h
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// until waits for what no channel reports.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not in time: %s", what)
		}
	}
}

// Two real hosts fold one log. A gateway follows one, then the other, while events come, and also
// when a host gives up its shards and takes them again.
func TestHosts(t *testing.T) {
	const boards, rounds = 20, 60
	lc := logs.Default("/log")
	lc.Partitions, lc.Storage.FS, lc.Storage.Logger = 2, vfs.NewMem(), quiet
	log, err := logs.Open(lc)
	must(t, err)
	t.Cleanup(func() { must(t, log.Close()) })

	net := newNetwork(t, 1)
	net.Weather(3*time.Millisecond, 200_000)
	t.Cleanup(net.close)
	dir := &directory{sources: make([]link.Peer, 2)}
	hosts := map[string]*actors.Host{}
	for _, name := range []string{"n1", "n2"} {
		h := startHost(t, log)
		h.OwnAll()
		s, err := remote.NewServer(remote.ServerConfig{Feed: h, Link: net.link(name)})
		must(t, err)
		t.Cleanup(s.Close)
		hosts[name] = h
	}
	client, err := remote.NewClient(remote.ClientConfig{Directory: logDirectory{dir, log}, Link: net.link("g1")})
	must(t, err)
	t.Cleanup(client.Close)
	for name := range net.links {
		net.start(name)
	}
	point := func(name string) {
		for shard := range 2 {
			dir.move(shard, net.peer(name))
		}
		client.Moved()
	}
	point("n1")
	var mirrors []*mirror
	for i := range boards {
		mirrors = append(mirrors, watch(t, client, key(i)))
	}
	for round := range rounds {
		var entries []eventlog.Entry
		for i := range boards {
			payload := fmt.Appendf(nil, `{"dashboard":%q,"metric":"m%d","value":%d,"time":%d}`, key(i).Dashboard, round%5, round, 1_795_422_000_000+round*1000)
			entries = append(entries, eventlog.Entry{Kind: messages.KindEvent, Key: key(i), Payload: payload})
		}
		_, err := log.Append(t.Context(), entries)
		must(t, err)
		switch round {
		case 15:
			point("n2")
		case 30:
			point("")
		case 35:
			point("n1")
		case 45:
			for shard := range 2 {
				hosts["n1"].Drop(shard)
				hosts["n1"].Load(shard)
			}
		}
		time.Sleep(5 * time.Millisecond)
	}
	for _, m := range mirrors {
		until(t, m.key.Dashboard+" has all records", func() bool { return m.place().Version >= rounds })
		want, err := hosts["n2"].Read(t.Context(), m.key, feed.Query{})
		must(t, err)
		until(t, m.key.Dashboard+" is as the other host has it", func() bool { return m.place().Version >= want.To })
		m.mu.Lock()
		if m.epoch != want.Epoch || m.set.Version() == want.To && encode(m.set.Cells()) != encode(want.Cells) {
			t.Errorf("%s at %v %d differs from the other host at %v %d", m.key, m.epoch, m.set.Version(), want.Epoch, want.To)
		}
		m.mu.Unlock()
		got, err := client.Read(t.Context(), m.key, feed.Query{MustExist: true})
		if err != nil || got.Counters.Accepted != rounds {
			t.Errorf("%s: %d events accepted, %v; want %d", m.key, got.Counters.Accepted, err, rounds)
		}
		m.close()
	}
	if found, err := client.List(t.Context(), "default", "", "", 100); err != nil || len(found) != boards {
		t.Errorf("%d dashboards are listed, %v; want %d", len(found), err, boards)
	}
	if st := client.Status(key(0)); st.State != wire.StateLive {
		t.Errorf("%+v", st)
	}
}
