package actors

import (
	"time"

	"github.com/dashfeed/dashfeed/eventlog/checkpoint"
	"github.com/dashfeed/dashfeed/feed"
	"github.com/dashfeed/dashfeed/fold"
	"github.com/dashfeed/dashfeed/messages"
)

// To a dashboard: *loading, which is not acknowledged; *run, *asking, *reading, *advancing,
// *yielding, each acknowledged to the shard (a run by its batch, the others by their *turn); and
// *saving from the shard's saver. To a shard: *loaded, *batch, *opened, *skipping, *core.Empty and
// *core.Naming from its feeders, *folded and *turn from its dashboards, *woken from one that woke,
// *subscribing, *asking, *closing, *reading, *gaveUp from the feed, query from it and a collector,
// *beat from the host, *saved, *ticked and *core.Forwarded from its own goroutines, *stopping from
// its runner.
type (
	// loading is the first message to a dashboard.
	loading struct{}

	// loaded is what the store had of the shard. It comes before the first batch.
	loaded struct {
		state  *fold.ShardState
		marker checkpoint.Marker
		found  bool
		waits  waits // of its dashboards

		population *fold.Population
	}

	// woken says which log times the windows of a dashboard wait for that was brought up from the
	// store.
	woken struct {
		key   messages.Key
		waits []int64
	}

	// opened says that the log has what lies behind the loaded position, as far as can be told
	// before a record was read.
	opened struct{}

	// skipping says that the next batch begins behind a hole that an operator has accepted.
	skipping struct{ from, to messages.Position }

	// folded says that the last run of the batch is done.
	folded struct{ batch *batch }

	// advancing applies deadlines of a dashboard that somebody holds open.
	advancing struct{ turn }

	// yielding answers the asks from before that time of viewers who are ahead of the dashboard.
	yielding struct {
		turn
		before time.Duration
	}

	// asking is a subscription's ask.
	asking struct {
		turn
		sub  *subscription
		ask  ask
		kept time.Duration // when the dashboard got it
	}

	subscribing struct{ sub *subscription }
	closing     struct{ sub *subscription }

	// reading is one Read under way. The dashboard answers on reply, which has room for it.
	reading struct {
		turn
		key      messages.Key
		query    feed.Query
		fallback *fold.Program // the tenant's default, for a dashboard without record
		reply    chan readingReply
	}
	readingReply struct {
		feed.Reading
		err error
	}
	// gaveUp says that nobody waits for the reading any more.
	gaveUp struct{ reading *reading }

	// query answers somebody's question about the shard, at its turn. It changes nothing of it but
	// what it counts for metrics.
	query func()

	// saving asks a dashboard for its state, for a checkpoint.
	saving struct {
		entry   *entry
		logTime int64
		reply   chan<- savingReply
	}
	savingReply struct {
		saved  *entry
		key    messages.Key
		waits  []int64
		entry  checkpoint.Entry
		empty  bool    // it has no record
		err    error   // what the store has of it could not be read, and is wanted
		buffer *[]byte // holds entry.State; goes back to states when it is written
	}

	// saved says how the checkpoint under way ended.
	saved struct {
		job *savingJob
		err error
	}

	// ticked says that the append of a tick has ended.
	ticked struct{ err error }

	// beat comes from the host a few times a second, for all that is due by the clock.
	beat struct{}

	// stopping ends the shard: with last, what is in flight is folded and a last checkpoint taken;
	// every actor is stopped.
	stopping struct{ last bool }
)

// to is the dashboard that the message is for.
func (m *saving) to() *entry { return m.entry }

var load = &loading{}

// question has the shard's actor answer.
func question[T any](s *shard, answer func() T) <-chan T {
	reply := make(chan T, 1)
	s.tell(query(func() { reply <- answer() }))
	return reply
}
