package actors

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dashfeed/dashfeed/actors/core"
	"github.com/dashfeed/dashfeed/eventlog/checkpoint"
	"github.com/dashfeed/dashfeed/feed"
	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/wire"
)

var _ feed.Feed = (*Host)(nil)

// ErrLimit says that a shard holds as many subscriptions as it may.
var ErrLimit = errors.New("too many subscriptions")

// maxSubscriptions is the most subscriptions of one shard.
const maxSubscriptions = 1 << 20

// Subscribe implements feed.Feed.
func (h *Host) Subscribe(k messages.Key, v feed.Viewer) (feed.Subscription, error) {
	s, err := h.shardOf(k)
	if err != nil {
		return nil, err
	}
	sub := &subscription{key: k, viewer: v, ended: s.gone}
	if err := s.enter(sub); err != nil {
		return nil, fmt.Errorf("subscribe to %s: %w: at most %d a shard", k, err, maxSubscriptions)
	}
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
	one := &core.Reading{Of: m}
	if q.After != nil {
		one.After = q.After.Position
	}
	s.tell(one)
	r, err := await(ctx, s, m.reply)
	switch {
	case err == nil:
		return r.Reading, r.err
	case ctx.Err() != nil && q.After != nil:
		s.tell(core.Forget{Reading: one})
		return feed.Reading{}, feed.ErrNotInTime
	}
	return feed.Reading{}, err
}

// List implements feed.Feed. It lists the dashboards of the shards here, except shards that load.
// It returns ErrStarting if all shards load.
func (h *Host) List(ctx context.Context, tenant, prefix, after string, limit int) ([]feed.Summary, error) {
	shards, err := h.listable(tenant)
	if err != nil {
		return nil, err
	}
	found := map[messages.Key]feed.Summary{}
	add := func(s feed.Summary) {
		if old, ok := found[s.Key]; !ok || s.Version > old.Version {
			found[s.Key] = s
		}
	}
	for _, s := range shards {
		// List the awake dashboards first: one that falls asleep in between is in the store by
		// then.
		awake, err := await(ctx, s, question(s, func() []feed.Summary { return s.list(tenant, prefix, after, limit) }))
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

// listable returns the tenant's shards that can be listed.
func (h *Host) listable(tenant string) ([]*shard, error) {
	if h.closed.Load() {
		return nil, feed.ErrClosed
	}
	first, n, err := h.config.Log.Tenant(tenant)
	if err != nil {
		return nil, err
	}
	var shards []*shard
	loading := false
	for _, s := range h.held() {
		switch {
		case s.number < first || s.number >= first+n:
		case s.phase() == phaseLoading:
			loading = true
		default:
			shards = append(shards, s)
		}
	}
	if len(shards) == 0 && loading {
		return nil, feed.ErrStarting
	}
	return shards, nil
}

func (s *shard) listStored(tenant, prefix, after string, limit int, add func(feed.Summary)) error {
	if s.base() == nil {
		return nil
	}
	left := limit
	err := s.host.config.Checkpoints.List(s.number, tenant, prefix, after, func(e checkpoint.Entry) bool {
		k := messages.Key{Tenant: tenant, Dashboard: strings.Clone(e.Key.Dashboard)}
		one, _, err := decodeSummary(k, e.Summary)
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
	return await(ctx, s, question(s, func() feed.DefinitionInForce { return inForceByDefault(s.state.Default(k.Tenant)) }))
}

// Room returns nil if a record of the dashboard would be accepted, as far as this host knows, and
// whether it would be the dashboard's first. It returns ErrCrowded if its shard has as many
// dashboards as allowed, or its tenant in that shard, which may have at most `most`. coming is how
// many others the caller is about to append. It costs nothing before a bound is near.
func (h *Host) Room(ctx context.Context, k messages.Key, most, coming int) (first bool, err error) {
	s, err := h.live(k)
	if err != nil {
		return false, nil
	}
	if v := s.view.Load(); !v.full && v.largest+coming < most {
		return false, nil
	}
	type answer struct {
		first bool
		full  error
	}
	a, err := await(ctx, s, question(s, func() answer { return answer{!s.population.Has(k), s.population.RoomBelow(k, most)} }))
	if err == nil && a.full != nil {
		return a.first, fmt.Errorf("%w: %w", feed.ErrCrowded, a.full)
	}
	return a.first, nil
}

// Status implements feed.Feed.
func (h *Host) Status(k messages.Key) feed.Status {
	s, err := h.shardOf(k)
	switch {
	case errors.Is(err, feed.ErrStarting):
		return feed.Status{State: wire.StateMoving}
	case err != nil:
		return feed.Status{State: wire.StateStale}
	case s.isLive():
		return feed.Status{State: wire.StateLive, Lag: s.lag()}
	case s.phase() == phaseLoading:
		return feed.Status{State: wire.StateMoving, Lag: s.lag()}
	}
	return feed.Status{State: wire.StateStale, Lag: s.lag(), Since: s.liveUntil()}
}

// lag returns the shard's lag in ms. It is 0 if the reader waits and everything is folded.
// Otherwise the newest record's time is not known here, and the clock stands for it.
func (s *shard) lag() int64 {
	if s.waiting.Load() && s.inflight.Load() == 0 {
		return 0
	}
	at := s.view.Load().logTime
	if at <= 0 {
		return 0 // the shard has no log time yet
	}
	return max(0, time.Now().UnixMilli()-at)
}

// live returns the key's shard if it can be read.
func (h *Host) live(k messages.Key) (*shard, error) {
	s, err := h.shardOf(k)
	if err == nil {
		err = s.readable()
	}
	return s, err
}

// await waits for an actor's answer, as long as neither the caller nor the shard ends.
func await[T any](ctx context.Context, s *shard, reply <-chan T) (t T, err error) {
	select {
	case t = <-reply:
		return t, nil
	case <-ctx.Done():
		return t, ctx.Err()
	case <-s.host.done:
		return t, feed.ErrClosed
	case <-s.gone:
		return t, feed.ErrNotHere
	case <-s.life.Done():
		return t, feed.ErrStarting
	}
}
