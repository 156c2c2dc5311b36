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
// Messages to a shard: core.Input from its feeders, the feed, its own goroutines and its runner;
// *loaded, *batch and *skipping from its feeders; *folded and *turn from its dashboards; *woken
// from a dashboard that woke; *subscribing, *asking and *closing from the feed; query from the feed
// and a collector; *beat from the host; *saved from its saver.
type (
	// loading is the first message to a dashboard.
	loading struct{}

	// loaded is what the store has of the shard. It comes before the first batch.
	loaded struct {
		state  *fold.ShardState
		marker checkpoint.Marker
		found  bool
		waits  []int64 // log times that the windows of its dashboards wait for

		population *fold.Population
	}

	// woken lists the log times that the windows of a dashboard wait for, after it was loaded from
	// the store.
	woken struct {
		key   messages.Key
		waits []int64
	}

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

	// beat comes from the host a few times a second. It triggers everything that is due by the
	// clock.
	beat struct{}
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
