package remote_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/dashfeed/dashfeed/cluster/link"
	"github.com/dashfeed/dashfeed/eventlog"
	logs "github.com/dashfeed/dashfeed/eventlog/embedded"
	"github.com/dashfeed/dashfeed/feed"
	"github.com/dashfeed/dashfeed/feed/remote"
	"github.com/dashfeed/dashfeed/messages"
)

// TestRoomOverALink: a gateway learns from a real host which dashboards may get a record, asks once
// about one that has a record, and holds nothing up while nobody answers.
func TestRoomOverALink(t *testing.T) {
	lc := logs.Default("/log")
	lc.Partitions, lc.Storage.FS, lc.Storage.Logger = 2, vfs.NewMem(), quiet
	log, err := logs.Open(lc)
	must(t, err)
	t.Cleanup(func() { must(t, log.Close()) })
	net := newNetwork(t, 1)
	t.Cleanup(net.close)
	h := startHost(t, log)
	h.OwnAll()
	s, err := remote.NewServer(remote.ServerConfig{Feed: h, Room: h.Room, Link: net.link("n1")})
	must(t, err)
	t.Cleanup(s.Close)
	dir := &directory{sources: make([]link.Peer, 2)}
	client, err := remote.NewClient(remote.ClientConfig{Directory: logDirectory{dir, log}, Link: net.link("g1")})
	must(t, err)
	t.Cleanup(client.Close)
	for name := range net.links {
		net.start(name)
	}

	began := time.Now()
	for range 100 { // one of them waits for an owner
		if first, err := client.Room(t.Context(), key(0), 0, 0); first || err != nil {
			t.Errorf("without an owner: %v, %v", first, err)
		}
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("a hundred questions without an owner took %v", took)
	}
	for shard := range 2 {
		dir.move(shard, net.peer("n1"))
	}
	client.Moved()

	for i := range 20 { // some in each shard
		payload := fmt.Appendf(nil, `{"dashboard":%q,"metric":"m","value":1}`, key(i).Dashboard)
		got, err := log.Append(t.Context(), []eventlog.Entry{{Kind: messages.KindEvent, Key: key(i), Payload: payload}})
		must(t, err)
		_, err = client.Read(t.Context(), key(i), feed.Query{After: &feed.After{Partition: got[0].Partition, Position: got[0].Position}})
		must(t, err)
	}
	until(t, "the owner is asked again", func() bool {
		_, err := client.Room(t.Context(), key(1000), 1, 0)
		return errors.Is(err, feed.ErrCrowded)
	})
	for _, c := range []struct {
		number, most   int
		first, refused bool
	}{{0, 1, false, false}, {1, 0, false, false}, {1001, 1, true, true}, {1001, 1000, true, false}} {
		first, err := client.Room(t.Context(), key(c.number), c.most, 0)
		if first != c.first || errors.Is(err, feed.ErrCrowded) != c.refused {
			t.Errorf("%+v: %v, %v", c, first, err)
		}
	}
	for shard := range 2 {
		dir.move(shard, link.Peer{})
	}
	client.Moved()
	began = time.Now()
	if first, err := client.Room(t.Context(), key(0), 0, 0); first || err != nil || time.Since(began) > 500*time.Millisecond {
		t.Errorf("one that is known to have a record: %v, %v, after %v", first, err, time.Since(began))
	}
}
