package actors

import (
	"time"

	"github.com/dashfeed/dashfeed/eventlog/checkpoint"
	"github.com/dashfeed/dashfeed/feed"
	"github.com/dashfeed/dashfeed/fold"
	"github.com/dashfeed/dashfeed/messages"
)

// Messages to a dashboard: *loading, which is not acknowledged; *run, *asking, *reading, *advancing
// and *yielding, each acknowledged to the shard (a run by its batch, the others by their *turn);
// and *saving from the shard's saver.
//
// Messages to a shard: *loaded, *batch, *opened, *skipping, *core.Empty and *core.Naming from its
// feeders; *folded and *turn from its dashboards; *woken from a dashboard that woke; *subscribing,
// *asking, *closing, *reading and *gaveUp from the feed; query from the feed and a collector; *beat
// from the host; *saved, *ticked and *core.Forwarded from its own goroutines; *stopping from its
// runner.
type (
	// loading is the first message to a dashboard.
	loading struct{}

	// loaded is what the store has of the shard. It comes before the first batch.
	loaded struct {
		state  *fold.ShardState
		marker checkpoint.Marker
		found  bool
		waits  waits // log times that the windows of its dashboards wait for

		population *fold.Population
	}

	// woken lists the log times that the windows of a dashboard wait for, after it was loaded from
	// the store.
	woken struct {
		key   messages.Key
		waits []int64
	}

	// opened says that the log holds what follows the loaded position, as far as this can be known
	// before a record is read.
	opened struct{}

	// skipping says that the next batch begins behind a hole that an operator has accepted.
	skipping struct{ from, to messages.Position }

	// folded says that the last run of the batch is folded.
	folded struct{ batch *batch }

	// advancing applies the deadlines of an awake dashboard.
	advancing struct{ turn }

	// yielding answers the asks that were made before that time by viewers who are ahead of the
	// dashboard.
	yielding struct {
		turn
		before time.Duration
	}

	// asking is a subscription's ask.
	asking struct {
		turn
		sub  *subscription
		ask  ask
		kept time.Duration // when the dashboard received it
	}

	subscribing struct{ sub *subscription }
	closing     struct{ sub *subscription }

	// reading is one Read under way. reply has room for the answer.
	reading struct {
		turn
		key      messages.Key
		query    feed.Query
		fallback *fold.Program // the tenant's default definition, for a dashboard without records
		reply    chan readingReply
	}
	readingReply struct {
		feed.Reading
		err error
	}
	// gaveUp says that nobody waits for the reading any more.
	gaveUp struct{ reading *reading }

	// query answers a question about the shard when the actor receives it. It changes nothing of
	// the shard but the counts for metrics.
	query func()

	// saving asks a dashboard for its state for a checkpoint.
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
		empty  bool    // the dashboard has no record
		err    error   // its entry in the store is needed and cannot be read
		buffer *[]byte // holds entry.State; returns to states when it is written
	}

	// saved reports how the checkpoint under way ended.
	saved struct {
		job *savingJob
		err error
	}

	// ticked reports that the append of a tick has ended.
	ticked struct{ err error }

	// beat comes from the host a few times a second. It triggers everything that is due by the
	// clock.
	beat struct{}

	// stopping ends the shard and all its actors. If last is true, what is in flight is folded and
	// a last checkpoint is written first.
	stopping struct{ last bool }
)

// to returns the dashboard that the message is for.
func (m *saving) to() *entry { return m.entry }

var load = &loading{}

// question lets the shard's actor compute the answer. The returned channel has room for it.
func question[T any](s *shard, answer func() T) <-chan T {
	reply := make(chan T, 1)
	s.tell(query(func() { reply <- answer() }))
	return reply
}
