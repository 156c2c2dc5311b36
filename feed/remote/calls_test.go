package remote_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dashfeed/dashfeed/feed"
	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/wire"
)

// inCluster runs a test in a bubble, with the given number of shards, all served by n1, and the
// gateway g1.
func inCluster(t *testing.T, shards int, test func(t *testing.T, c *cluster, o *owner, f feed.Feed)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1, shards)
		o := c.owner("n1")
		f := c.gateway("g1")
		for n := range shards {
			c.move(n, "n1")
		}
		test(t, c, o, f)
		c.close()
	})
}

// A reading is the same at the gateway, whatever the network does.
func TestRead(t *testing.T) {
	inCluster(t, 1, func(t *testing.T, c *cluster, o *owner, f feed.Feed) {
		for i := range uint64(20) {
			c.history.append(record{key: key(1), seed: i})
		}
		o.fold(20)
		c.net.Weather(50*time.Millisecond, 4_000)
		queries := []feed.Query{{}, {Epoch: 1, Since: 15, Lists: true}, {Epoch: 9, Since: 15}, {MustExist: true, After: &feed.After{Position: messages.Position{Lo: 20}}}}
		for n := range 40 {
			q := queries[n%len(queries)]
			got, err := f.Read(t.Context(), key(1), q)
			want, _ := o.Read(t.Context(), key(1), q)
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%+v, %v\nwant %+v", got, err, want)
			}
		}
		if c.net.Breaks() == 0 {
			t.Error("no connection broke")
		}
		d, err := f.Default(t.Context(), key(1))
		if want, _ := o.Default(t.Context(), key(1)); err != nil || !reflect.DeepEqual(d, want) {
			t.Errorf("%+v, %v, want %+v", d, err, want)
		}
	})
}

func TestErrorsKeepTheirMeaning(t *testing.T) {
	inCluster(t, 1, func(t *testing.T, c *cluster, o *owner, f feed.Feed) {
		in := func(d time.Duration, q feed.Query) error {
			ctx, cancel := context.WithTimeout(t.Context(), d)
			defer cancel()
			_, err := f.Read(ctx, key(1), q)
			return err
		}
		if err := in(time.Second, feed.Query{MustExist: true}); !errors.Is(err, feed.ErrUnknown) {
			t.Errorf("without a record: %v", err)
		}
		if err := in(time.Second, feed.Query{After: &feed.After{Partition: 3}}); !errors.Is(err, feed.ErrPartition) {
			t.Errorf("another partition: %v", err)
		}
		began := time.Now()
		if err := in(20*time.Second, feed.Query{After: &feed.After{Position: messages.Position{Lo: 99}}}); !errors.Is(err, feed.ErrNotInTime) || time.Since(began) != 20*time.Second {
			t.Errorf("a position that does not come: %v after %v", err, time.Since(began))
		}
		o.mu.Lock()
		o.starts = true
		o.mu.Unlock()
		began = time.Now()
		if err := in(20*time.Second, feed.Query{}); !errors.Is(err, feed.ErrStarting) || time.Since(began) != 5*time.Second {
			t.Errorf("a shard that loads: %v after %v", err, time.Since(began))
		}
		time.AfterFunc(2*time.Second, func() {
			o.mu.Lock()
			o.starts = false
			o.mu.Unlock()
		})
		if err := in(20*time.Second, feed.Query{}); err != nil {
			t.Errorf("a shard that has loaded meanwhile: %v", err)
		}
	})
}

// While no source is known a reading waits for one, for a bounded time.
func TestReadWaitsForASource(t *testing.T) {
	inCluster(t, 1, func(t *testing.T, c *cluster, _ *owner, f feed.Feed) {
		c.move(0, "")
		time.Sleep(time.Second)
		began := time.Now()
		if _, err := f.Read(t.Context(), key(1), feed.Query{}); !errors.Is(err, feed.ErrUnserved) || time.Since(began) != 5*time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		if _, err := f.List(t.Context(), "default", "", "", 10); !errors.Is(err, feed.ErrUnserved) {
			t.Errorf("list: %v", err)
		}
		began = time.Now()
		if _, err := f.Read(t.Context(), key(1), feed.Query{}); !errors.Is(err, feed.ErrUnserved) || time.Since(began) != 0 {
			t.Errorf("a shard that nobody has served for long: %v after %v", err, time.Since(began))
		}
		c.move(0, "")
		began = time.Now()
		time.AfterFunc(time.Second, func() { c.move(0, "n1") })
		if _, err := f.Read(t.Context(), key(1), feed.Query{}); err != nil || time.Since(began) > 1100*time.Millisecond {
			t.Errorf("%v after %v, the source is there after 1s", err, time.Since(began))
		}
	})
}

// A reader that gives up, or whose gateway is gone, leaves nothing waiting at the owner.
func TestReadGivenUp(t *testing.T) {
	inCluster(t, 1, func(t *testing.T, c *cluster, o *owner, f feed.Feed) {
		ctx, cancel := context.WithCancel(t.Context())
		for range 10 {
			go func() {
				_, _ = f.Read(ctx, key(1), feed.Query{After: &feed.After{Position: messages.Position{Lo: 99}}})
			}()
		}
		waiting := func() int {
			o.mu.Lock()
			defer o.mu.Unlock()
			return o.waiting
		}
		time.Sleep(time.Second)
		if n := waiting(); n != 10 {
			t.Fatalf("%d readings wait, want 10", n)
		}
		o.mu.Lock()
		if o.reads != 10 {
			t.Errorf("10 readings were performed %d times", o.reads)
		}
		o.mu.Unlock()
		cancel()
		time.Sleep(2 * time.Second)
		if n := waiting(); n != 0 {
			t.Errorf("%d abandoned readings still wait", n)
		}
	})
}

// A listing is complete although its dashboards are on several nodes, each of which also knows some
// of the others'.
func TestList(t *testing.T) {
	inCluster(t, 4, func(t *testing.T, c *cluster, o *owner, f feed.Feed) {
		o2 := c.owner("n2")
		c.move(1, "n2")
		c.move(3, "n2")
		var want []string
		for i := range 50 {
			c.history.append(record{key: key(i), seed: 1})
			want = append(want, key(i).Dashboard)
		}
		o.fold(50)
		o2.fold(30) // it has not folded all of its own shards yet, and some of the others'
		o2.fold(20)
		c.net.Weather(20*time.Millisecond, 20_000)
		for _, limit := range []int{1, 7, 50, 1000} {
			got, err := f.List(t.Context(), "default", "", "", limit)
			if err != nil || !slices.Equal(names(got), want[:min(limit, 50)]) {
				t.Errorf("limit %d: %v, %v", limit, names(got), err)
			}
		}
		got, err := f.List(t.Context(), "default", "board-1", "board-12", 4)
		if err != nil || fmt.Sprint(names(got)) != "[board-13 board-14 board-15 board-16]" || got[0].Title != "title" || got[0].Version != 1 {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

func names(l []feed.Summary) (n []string) {
	for _, s := range l {
		n = append(n, s.Key.Dashboard)
	}
	return n
}

// What a gateway reports about itself and about a shard.
func TestReadyAndStatus(t *testing.T) {
	inCluster(t, 1, func(t *testing.T, c *cluster, o *owner, f feed.Feed) {
		if err := f.Ready(); !errors.Is(err, feed.ErrStarting) {
			t.Errorf("before a node was heard: %v", err)
		}
		c.dir.heard = time.Now()
		time.Sleep(9 * time.Second)
		if err := f.Ready(); err != nil {
			t.Errorf("after 9 s of silence: %v", err)
		}
		time.Sleep(2 * time.Second)
		if err := f.Ready(); err == nil {
			t.Error("ready after 11 s of silence")
		}
		o.mu.Lock()
		o.lag = 1234
		o.mu.Unlock()
		m := watch(t, f, key(1))
		time.Sleep(time.Second)
		if st := f.Status(key(1)); st.State != wire.StateLive || st.Lag != 1234 {
			t.Errorf("%+v, want the owner's lag of 1234", st)
		}
		cut := time.Now()
		c.net.Cut("g1", "n1", true)
		time.Sleep(4 * time.Second)
		if st := f.Status(key(1)); st.State != wire.StateStale || cut.Sub(st.Since) > time.Second {
			t.Errorf("%+v of a source that is not heard since %v", st, cut)
		}
		c.net.Cut("g1", "n1", false)
		time.Sleep(time.Second)
		if st := f.Status(key(1)); st.State != wire.StateLive {
			t.Errorf("%+v of a source that is heard again", st)
		}
		c.move(0, "")
		time.Sleep(time.Second)
		if st := f.Status(key(1)); st.State != wire.StateStale {
			t.Errorf("%+v", st)
		}
		m.close()
	})
}

// A shard that no node serves does not keep anybody from reading and listing the others.
func TestUnservedShardDoesNotAffectOthers(t *testing.T) {
	inCluster(t, 2, func(t *testing.T, c *cluster, _ *owner, f feed.Feed) {
		c.move(1, "")
		time.Sleep(6 * time.Second)
		served, unserved := key(0), key(1)
		if n, _ := c.dir.PartitionOf(served); n != 0 {
			served, unserved = unserved, served
		}
		began := time.Now()
		if _, err := f.Read(t.Context(), unserved, feed.Query{}); !errors.Is(err, feed.ErrUnserved) {
			t.Errorf("of the shard that no node serves: %v", err)
		}
		if _, err := f.Read(t.Context(), served, feed.Query{}); err != nil {
			t.Errorf("of another shard: %v", err)
		}
		if _, err := f.List(t.Context(), "default", "", "", 10); err != nil {
			t.Errorf("list: %v", err)
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("it took %v", took)
		}
	})
}
