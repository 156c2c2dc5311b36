package actors

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/feed"
	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/wire"
)

// mute is a log that can be told not to answer where its last record is, or to be unreachable.
type mute struct {
	eventlog.Log
	on   atomic.Bool
	away atomic.Bool // the log cannot be reached at all
}

var errMute = fmt.Errorf("%w: mute", eventlog.ErrUnreachable)

func (m *mute) Err() error {
	if m.away.Load() {
		return errMute
	}
	return m.Log.Err()
}

func (m *mute) Last(ctx context.Context, partition int) (messages.Position, error) {
	if m.on.Load() {
		return messages.Position{}, errMute
	}
	return m.Log.Last(ctx, partition)
}

// A shard that is cut off from its log stops claiming to be live, even if the log was silent
// before, and still answers.
func TestSilenceIsNotTakenForHealth(t *testing.T) {
	t.Parallel()
	log := &mute{}
	n := newNode(t, func(c *Config) { log.Log, c.Log = c.Log, log })
	n.append(event1("d", "m", 1))
	n.read("d")
	number := n.home("d")
	n.until("live", func() bool { return n.claimed(number) == messages.Live })
	if st := n.host.Status(key("d")); st.State != wire.StateLive || !st.Since.IsZero() {
		t.Errorf("status %+v", st)
	}
	log.on.Store(true)
	began := time.Now()
	n.until("not live", func() bool { return n.claimed(number) == messages.Loading })
	if took := time.Since(began); took > 3*proofGood {
		t.Errorf("it took %v", took)
	}
	if st := n.host.Status(key("d")); st.State != wire.StateStale || st.Since.IsZero() || time.Since(st.Since) > 20*time.Second {
		t.Errorf("status %+v", st)
	}
	if r := n.read("d"); r.To != 1 {
		t.Errorf("version %d", r.To)
	}
	if n.shard(number).isLive() {
		t.Error("it acts")
	}
	n.until("nobody's way is barred", func() bool { return n.claimed(number) == 0 })
	if took := time.Since(began); took < cutOff || took > cutOff+4*time.Second {
		t.Errorf("it claims for %v after the log's last word, want %v", took, cutOff)
	}
	if r := n.read("d"); r.To != 1 {
		t.Errorf("version %d", r.To)
	}
	log.on.Store(false)
	n.until("live again", func() bool { return n.claimed(number) == messages.Live })
}

// A shard that loads while the log cannot be reached claims nothing: viewers are not told that they
// wait for a move.
func TestWhoCannotLoadClaimsNothing(t *testing.T) {
	t.Parallel()
	log := &mute{}
	n := newNode(t, func(c *Config) { log.Log, c.Log = c.Log, log })
	log.on.Store(true)
	n.host.Drop(0)
	n.host.Load(0)
	n.until("loading", func() bool { return n.claimed(0) == messages.Loading })
	log.away.Store(true)
	if n.claimed(0) != 0 {
		t.Error("it claims to load")
	}
	if n.claimed(1) == 0 {
		t.Error("one that was live claims nothing at once")
	}
	log.away.Store(false)
	log.on.Store(false)
	n.until("live", func() bool { return n.claimed(0) == messages.Live })
}

// A host that cannot reach the log takes no new shards, nor in the first moments afterwards.
func TestWhoHearsNothingLoadsNothing(t *testing.T) {
	t.Parallel()
	log := &mute{}
	n := newNode(t, func(c *Config) { log.Log, c.Log = c.Log, log })
	n.until("live", func() bool { return n.claimed(0) == messages.Live && n.claimed(1) == messages.Live })
	n.host.Drop(0)
	n.until("dropped", func() bool { return n.claimed(0) == 0 })
	log.away.Store(true)
	n.host.Load(0)
	log.away.Store(false)
	n.host.Load(0)
	if n.claimed(0) != 0 {
		t.Error("it loads")
	}
	began := time.Now()
	n.until("loaded", func() bool { n.host.Load(0); return n.claimed(0) == messages.Live })
	if took := time.Since(began); took < loadPause-time.Second {
		t.Errorf("loaded after %v", took)
	}
}

// tardy is a log that answers late where its last record is.
type tardy struct {
	eventlog.Log
	delay atomic.Int64
}

func (l *tardy) Last(ctx context.Context, partition int) (messages.Position, error) {
	at, err := l.Log.Last(ctx, partition)
	if !eventlog.Pause(ctx, time.Duration(l.delay.Load())) {
		return messages.Position{}, ctx.Err()
	}
	return at, err
}

// An answer of the log is as old as its question: one that comes seconds later does not prove that
// a shard is live now, neither for a live shard nor for a loading one.
func TestALateAnswerIsAsOldAsItsQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &tardy{}
		n := newNode(t, func(c *Config) { log.Log, c.Log = c.Log, log })
		log.delay.Store(int64(2 * proofGood))
		time.Sleep(2 * proofGood)
		n.host.Drop(0)
		n.host.Load(0)
		n.host.Own(0, true)
		for began := time.Now(); time.Since(began) < 10*proofGood; time.Sleep(10 * time.Millisecond) {
			for _, c := range n.host.Claims() {
				if c.State == messages.Live {
					t.Fatalf("shard %d claims to be live by what was asked %v before", c.Shard, 2*proofGood)
				}
			}
		}
		log.delay.Store(0)
		time.Sleep(3 * proofGood)
		if n.claimed(0) != messages.Live || n.claimed(1) != messages.Live {
			t.Errorf("claims %v", n.host.Claims())
		}
	})
}

// asked is a log that counts how often it is asked for its last records.
type asked struct {
	eventlog.Log
	questions atomic.Int64
}

func (l *asked) Last(ctx context.Context, partition int) (messages.Position, error) {
	l.questions.Add(1)
	return l.Log.Last(ctx, partition)
}

// A log in which nothing moves is asked less often, and all shards are live all the time.
func TestAnIdleLogIsAskedLess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &asked{}
		n := newNode(t, func(c *Config) { log.Log, c.Log = c.Log, log })
		time.Sleep(5 * time.Second)
		const lasts = 20 * time.Second
		while := func(do func()) (perShard float64) {
			log.questions.Store(0)
			for began := time.Now(); time.Since(began) < lasts; time.Sleep(10 * time.Millisecond) {
				do()
				for _, c := range n.host.Claims() {
					if c.State != messages.Live {
						t.Fatalf("shard %d claims %s", c.Shard, c.State)
					}
				}
			}
			return float64(log.questions.Load()) / float64(n.log.Partitions())
		}
		if got, want := while(func() {}), float64(lasts/idleProbe)+1; got > want {
			t.Errorf("%.0f questions for each shard in %s, want %.0f", got, lasts, want)
		}
		number := n.home("d")
		busy := while(func() { n.append(event1("d", "m", 1)) })
		others := float64(lasts/idleProbe) * float64(n.log.Partitions()-1)
		if got, want := busy*float64(n.log.Partitions())-others, float64(lasts/probeEvery)-2; got < want {
			t.Errorf("%.0f questions for shard %d, whose log moves, in %s, want %.0f", got, number, lasts, want)
		}
	})
}

// A shard is not live while it has read records that are not folded.
func TestWhatIsNotFoldedIsNotClaimed(t *testing.T) {
	t.Parallel()
	n := newNode(t, nil)
	n.append(n.define("d", 1, "panels: [{id: p, window: {count: 1000}, aggregates: [count, gated]}]"))
	n.read("d")
	number := n.home("d")
	opened := make(chan struct{})
	gates <- opened
	n.until("folded", func() bool { return n.host.Claims()[number].Position.Lo == 1 })
	before := n.host.Claims()[number].Position
	n.append(event1("d", "m", block))
	n.until("behind", func() bool { return n.claimed(number) == messages.Loading })
	n.until("one record is lacking", func() bool { return n.metric("dashfeed_shard_lag_records", fmt.Sprint(number)) == 1 })
	if at := n.host.Claims()[number].Position; at != before {
		t.Errorf("folded up to %s is claimed, it is %s", at, before)
	}
	close(opened)
	n.until("live again", func() bool { return n.claimed(number) == messages.Live })
	if at := n.host.Claims()[number].Position; !at.After(before) {
		t.Errorf("folded up to %s", at)
	}
}

// A host whose first shards are loaded one by one is not ready when only some of them are
// requested, even if these are live.
func TestNotReadyBeforeAllAreOrdered(t *testing.T) {
	t.Parallel()
	n := newNode(t, nil)
	n.stop(t.Context())
	n.open()
	n.unordered = true
	n.launch()
	n.host.ordering.Store(true) // as in OwnAll, between two shards
	n.host.Load(0)
	n.until("live", func() bool { return n.claimed(0) == messages.Live })
	if err := n.host.Ready(); !errors.Is(err, feed.ErrStarting) {
		t.Errorf("with one of %d shards: %v", n.log.Partitions(), err)
	}
	n.host.OwnAll()
	n.until("ready", func() bool { return n.host.Ready() == nil })
	if n.claimed(1) != messages.Live {
		t.Errorf("ready with claims %v", n.host.Claims())
	}
}

// A host is ready when its first shards are live, and stays ready while it loads others.
func TestShardsThatComeLaterLeaveTheHostReady(t *testing.T) {
	t.Parallel()
	log := &mute{}
	n := newNode(t, func(c *Config) { log.Log, c.Log = c.Log, log })
	log.on.Store(true) // shards loaded from here on never become live
	n.host.Drop(0)
	n.host.Load(0)
	n.until("loading", func() bool { return n.claimed(0) == messages.Loading })
	if err := n.host.Ready(); err != nil {
		t.Errorf("a shard that loads later: %v", err)
	}
	n.stop(context.Background())
	n.open()
	n.launch()
	log.on.Store(true)
	n.until("there", func() bool { return n.claimed(0) == messages.Loading && n.claimed(1) == messages.Loading })
	if err := n.host.Ready(); !errors.Is(err, feed.ErrStarting) {
		t.Errorf("at the start: %v", err)
	}
	log.on.Store(false)
	n.until("ready", func() bool { return n.host.Ready() == nil })
	if n.claimed(0) != messages.Live || n.claimed(1) != messages.Live {
		t.Errorf("ready with claims %v", n.host.Claims())
	}
}
