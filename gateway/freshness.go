package gateway

import (
	"time"

	"github.com/dashfeed/dashfeed/feed"
	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/wire"
)

// staleLag is the lag of a shard's fold, in ms, from which on its views are stale.
const staleLag = 3_000

// Moved tells the gateway that other nodes serve some shards now. Every view is told its state at
// once, not at the next beat.
func (s *Server) Moved() {
	select {
	case s.moved <- struct{}{}:
	default:
	}
}

// look asks for the state of the shard, and wakes all cohorts if the state changes. A mirror whose
// shard nobody serves is still shown as it is.
func (m *mirror) look() {
	st := m.feed.Status(m.key)
	m.mu.Lock()
	defer m.mu.Unlock()
	lagged := m.lagging || m.state == wire.StateStale
	m.lagging = st.Lag >= staleLag
	state, since, lag := freshness(st, m.time)
	if st.State == wire.StateLive && !lagged {
		// After an idle time, a batch under way looks as old as the log's last record. So a lag counts
		// only if it persists.
		state = wire.StateLive
	}
	m.lag = lag
	if state != m.state {
		if m.state == wire.StateLive || !st.Since.IsZero() {
			m.since = since // otherwise it stays not live since the earlier time
		}
		m.state = state
		for _, c := range m.cohorts {
			c.wakeAll()
		}
	}
}

// freshness returns the state of what is shown at log time t, since when (ms) if it is not live,
// and the lag. While nobody serves a shard its lag is unknown, and is at least that time.
func freshness(st feed.Status, t int64) (state string, since, lag int64) {
	switch {
	case st.State != wire.StateLive && st.Since.IsZero():
		return st.State, t, st.Lag
	case st.State != wire.StateLive:
		return st.State, st.Since.UnixMilli(), max(st.Lag, time.Since(st.Since).Milliseconds())
	case st.Lag >= staleLag:
		return wire.StateStale, t, st.Lag
	}
	return wire.StateLive, 0, st.Lag
}

// status returns the frame that tells the state of the view.
func (m *mirror) status(v messages.View) wire.Status {
	f := wire.Status{View: v.String(), State: m.state, Lag: m.lag}
	if m.state != wire.StateLive {
		since := m.since
		f.Since = &since
	}
	return f
}
