package remote

import (
	"context"
	"encoding/binary"
	"errors"
	"math"
	"strings"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/dashfeed/dashfeed/feed"
	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/wire"
)

// Room says whether a record of a dashboard would be accepted, as actors.Host.Room does.
type Room func(ctx context.Context, k messages.Key, most, coming int) (first bool, err error)

// rooms is what a client knows about which dashboards may get a record.
type rooms struct {
	// dashboards that have a record, at most knownDashboards; the owner is not asked about them
	known *otter.Cache[messages.Key, struct{}]
	// when an owner did not answer last, unix ms
	failed atomic.Int64
}

const (
	knownDashboards = 100_000
	// roomTime is how long an owner may take to answer, and for how long nobody is asked after one
	// took longer: events are not held up by a bound that only the owner knows.
	roomTime = time.Second
)

func newRooms() (*rooms, error) {
	known, err := otter.New(&otter.Options[messages.Key, struct{}]{
		MaximumSize: knownDashboards,
		Executor:    func(do func()) { do() }, // on the caller's goroutine, so that none is left to join
	})
	return &rooms{known: known}, err
}

// Room asks the dashboard's owner whether a record of the dashboard would be accepted, where its
// tenant may have at most `most` dashboards in a shard. It returns ErrCrowded if not, and nil if it
// would be or nobody answers. first reports whether it would be the dashboard's first record.
func (c *Client) Room(ctx context.Context, k messages.Key, most, _ int) (first bool, err error) {
	if _, ok := c.rooms.known.GetIfPresent(k); ok {
		return false, nil
	}
	n, err := c.cfg.Directory.PartitionOf(k)
	if err != nil || time.Since(time.UnixMilli(c.rooms.failed.Load())) < roomTime {
		return false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, roomTime)
	defer cancel()
	answer, err := c.callShard(ctx, n, false, binary.AppendUvarint(appendKey([]byte{callRoom}, k), uint64(max(0, most))))
	if errors.Is(err, feed.ErrCrowded) {
		return true, err
	}
	_, body, ok := answer.item()
	first = body.flag()
	switch {
	case err != nil || !ok || body.failed:
		c.rooms.failed.Store(time.Now().UnixMilli())
		return false, nil
	case !first:
		c.rooms.known.Set(messages.Key{Tenant: strings.Clone(k.Tenant), Dashboard: strings.Clone(k.Dashboard)}, struct{}{})
	}
	return first, nil
}

// room answers a call for room.
func (s *Server) room(ctx context.Context, b []byte, r *reader) ([]byte, error) {
	k, most := messages.Key{Tenant: r.text(), Dashboard: r.text()}, r.uvarint()
	if r.failed {
		return nil, errItem
	}
	if s.cfg.Room == nil {
		return nil, errUnknownCall
	}
	if s.cfg.Feed.Status(k).State != wire.StateLive {
		return nil, feed.ErrStarting // it is not known which dashboards have a record
	}
	// With so many coming, the host looks, however far it is below the bound.
	first, err := s.cfg.Room(ctx, k, int(min(most, math.MaxInt32)), math.MaxInt32)
	at := len(b)
	return end(appendFlag(begin(b, itemRoom), first), at), err
}
