package actors

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dashfeed/dashfeed/eventlog/checkpoint"
	"github.com/dashfeed/dashfeed/feed"
	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/wire"
)

var _ feed.Feed = (*Host)(nil)

// ErrLimit says that a shard holds as many subscriptions as it may.
var ErrLimit = errors.New("too many subscriptions")

// maxSubscriptions is how many viewers one shard lets hold its dashboards open.
const maxSubscriptions = 1 << 20

// Subscribe implements feed.Feed.
func (h *Host) Subscribe(k messages.Key, v feed.Viewer) (feed.Subscription, error) {
	s, err := h.shardOf(k)
	if err != nil {
		return nil, err
	}
	if s.subscriptions.Add(1) > maxSubscriptions {
		s.subscriptions.Add(-1)
		return nil, fmt.Errorf("subscribe to %s: %w: at most %d a shard", k, ErrLimit, maxSubscriptions)
	}
	sub := &subscription{shard: s, key: k, viewer: v}
	s.tell(&subscribing{sub})
	return sub, nil
}

// Read implements feed.Feed.
func (h *Host) Read(ctx context.Context, k messages.Key, q feed.Query) (feed.Reading, error) {
	s, err := h.live(k)
	if err != nil {
		return feed.Reading{}, err
	}
	if q.After != nil && q.After.Partition != s.number {
		return feed.Reading{}, fmt.Errorf("%w: %d, of %s it is %d", feed.ErrPartition, q.After.Partition, k, s.number)
	}
	m := &reading{key: k, query: q, reply: make(chan readingReply, 1)}
	s.tell(m)
	r, err := await(ctx, h, m.reply)
	switch {
	case err == nil:
		return r.Reading, r.err
	case ctx.Err() != nil && q.After != nil:
		s.tell(&gaveUp{m})
		return feed.Reading{}, feed.ErrNotInTime
	}
	return feed.Reading{}, err
}

// List implements feed.Feed.
func (h *Host) List(ctx context.Context, tenant, prefix, after string, limit int) ([]feed.Summary, error) {
	if err := h.Ready(); err != nil {
		return nil, err
	}
	found := map[messages.Key]feed.Summary{}
	add := func(s feed.Summary) {
		if old, ok := found[s.Key]; !ok || s.Version > old.Version {
			found[s.Key] = s
		}
	}
	for _, s := range h.shards {
		// The awake ones first: one that falls asleep in between is in the store by then.
		m := &listing{tenant: tenant, prefix: prefix, after: after, limit: limit, reply: make(chan []feed.Summary, 1)}
		s.tell(m)
		awake, err := await(ctx, h, m.reply)
		if err != nil {
			return nil, err
		}
		for _, one := range awake {
			add(one)
		}
		if err := s.listStored(tenant, prefix, after, limit, add); err != nil {
			return nil, fmt.Errorf("list dashboards of shard %d: %w", s.number, err)
		}
	}
	all := make([]feed.Summary, 0, len(found))
	for _, s := range found {
		all = append(all, s)
	}
	slices.SortFunc(all, bySummaryKey)
	return all[:min(len(all), limit)], nil
}

func (s *shard) listStored(tenant, prefix, after string, limit int, add func(feed.Summary)) error {
	if s.base.Load() == nil {
		return nil
	}
	left := limit
	err := s.host.config.Checkpoints.List(s.number, tenant, prefix, after, func(e checkpoint.Entry) bool {
		k := messages.Key{Tenant: tenant, Dashboard: strings.Clone(e.Key.Dashboard)}
		one, err := decodeSummary(k, e.Summary)
		if err != nil {
			s.warn("summary", "a dashboard's summary in the checkpoint is not readable", "dashboard", e.Key.Label(), "error", err)
		}
		add(one)
		left--
		return left > 0
	})
	if errors.Is(err, checkpoint.ErrNone) {
		return nil
	}
	return err
}

// Default implements feed.Feed.
func (h *Host) Default(ctx context.Context, k messages.Key) (feed.DefinitionInForce, error) {
	s, err := h.live(k)
	if err != nil {
		return feed.DefinitionInForce{}, err
	}
	m := &defaulting{tenant: k.Tenant, reply: make(chan feed.DefinitionInForce, 1)}
	s.tell(m)
	return await(ctx, h, m.reply)
}

// Ready implements feed.Feed.
func (h *Host) Ready() error {
	if h.closed.Load() {
		return feed.ErrClosed
	}
	if len(h.shards) == 0 {
		return feed.ErrStarting
	}
	var errs []error
	for _, s := range h.shards {
		if err := s.notLive(); err != nil {
			errs = append(errs, fmt.Errorf("shard %d: %w", s.number, err))
		}
	}
	return errors.Join(errs...)
}

// Status implements feed.Feed.
func (h *Host) Status(k messages.Key) feed.Status {
	s, err := h.shardOf(k)
	if err != nil {
		return feed.Status{State: wire.StateStale}
	}
	return feed.Status{State: wire.StateLive, Lag: s.lag()}
}

// lag is 0 where the reader waits and everything is folded. Else the newest record's time is not known here; the clock
// stands for it.
func (s *shard) lag() int64 {
	if s.waiting.Load() && s.inflight.Load() == 0 {
		return 0
	}
	return max(0, time.Now().UnixMilli()-max(0, s.logTime.Load()))
}

// notLive is why the shard can't be read, or nil.
func (s *shard) notLive() error {
	switch s.phase.Load() {
	case phaseLoading:
		return feed.ErrStarting
	case phaseFailed:
		return *s.failure.Load()
	}
	return nil
}

func (h *Host) shardOf(k messages.Key) (*shard, error) {
	if h.closed.Load() {
		return nil, feed.ErrClosed
	}
	if len(h.shards) == 0 {
		return nil, feed.ErrStarting
	}
	n, err := h.config.Log.PartitionOf(k)
	if err != nil {
		return nil, err
	}
	return h.shards[n], nil
}

// live is the key's shard if it can be read. One that stands still can: its viewers are told by Ready.
func (h *Host) live(k messages.Key) (*shard, error) {
	s, err := h.shardOf(k)
	if err == nil && s.phase.Load() == phaseLoading {
		err = feed.ErrStarting
	}
	return s, err
}

// await waits for an actor's answer, as long as the caller and the host live.
func await[T any](ctx context.Context, h *Host, reply <-chan T) (t T, err error) {
	select {
	case t = <-reply:
		return t, nil
	case <-ctx.Done():
		return t, ctx.Err()
	case <-h.done:
		return t, feed.ErrClosed
	}
}
