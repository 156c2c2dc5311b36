package gateway

import (
	"time"

	"github.com/dashfeed/dashfeed/feed"
	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/wire"
)

// staleLag is the lag of a shard's fold, in ms, from which its views are told that they are stale.
const staleLag = 3_000

// Moved says that it has changed who serves some shards: every view is told at once how it stands,
// not at the next beat.
func (s *Server) Moved() {
	select {
	case s.moved <- struct{}{}:
	default:
	}
}

// look asks how the shard stands, and tells everybody where that changes places. A mirror whose
// shard nobody serves goes on being served, as it is.
func (m *mirror) look() {
	st := m.feed.Status(m.key)
	m.mu.Lock()
	defer m.mu.Unlock()
	lagged := m.lagging || m.state == wire.StateStale
	m.lagging = st.Lag >= staleLag
	state, since, lag := freshness(st, m.time)
	if st.State == wire.StateLive && !lagged {
		// after quiet, a batch under way looks as old as the log's last record: only what lasts is
		// believed
		state = wire.StateLive
	}
	m.lag = lag
	if state != m.state {
		if m.state == wire.StateLive || !st.Since.IsZero() {
			m.since = since // else it goes on not being live, since when it did
		}
		m.state = state
		for _, c := range m.cohorts {
			c.wakeAll()
		}
	}
}

// freshness is how what is shown at log time t stands: its state, since when in ms where that is
// not live, and the lag. While nobody serves a shard, nobody can tell its lag: it is at least as
// long as that lasts.
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

// status is the state of the view as a frame says it.
func (m *mirror) status(v messages.View) wire.Status {
	f := wire.Status{View: v.String(), State: m.state, Lag: m.lag}
	if m.state != wire.StateLive {
		since := m.since
		f.Since = &since
	}
	return f
}
