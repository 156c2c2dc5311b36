package remote

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/dashfeed/dashfeed/feed"
	"github.com/dashfeed/dashfeed/feed/remote/envelope"
	"github.com/dashfeed/dashfeed/messages"
)

// longestPatience is how long an owner works at a request at most, whatever it says.
const longestPatience = 2 * time.Minute

// requests are a gateway's requests under way at an owner, and those answered of late. Each has a goroutine; stop joins
// them.
type requests struct {
	gateway *gateway
	ctx     context.Context
	cancel  context.CancelFunc
	wg      sync.WaitGroup

	mu   sync.Mutex
	byID map[uint64]*running
}

// running is one request.
type running struct {
	cancel  context.CancelFunc
	heardAt time.Time
	doneAt  time.Time // zero: under way
}

func (rs *requests) start(g *gateway) {
	rs.gateway, rs.byID = g, map[uint64]*running{}
	rs.ctx, rs.cancel = context.WithCancel(g.server.ctx)
}

func (rs *requests) stop() {
	rs.cancel()
	rs.wg.Wait()
}

// hear takes a request in; one that is known is under way, or its answer is.
func (rs *requests) hear(r *envelope.Request) {
	now := time.Now()
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if one := rs.byID[r.GetId()]; one != nil {
		one.heardAt = now
		if one.doneAt.IsZero() || now.Sub(one.doneAt) < 2*beatEvery {
			return
		}
	} else if len(rs.byID) >= rs.gateway.server.cfg.Bounds.Requests {
		rs.gateway.server.stats.dropped.Inc()
		return
	}
	patience := min(longestPatience, time.Duration(r.GetPatience())*time.Millisecond)
	ctx, cancel := context.WithTimeout(rs.ctx, patience)
	rs.byID[r.GetId()] = &running{cancel: cancel, heardAt: now}
	rs.wg.Go(func() {
		defer cancel()
		reply, size := rs.perform(ctx, r)
		kept := rs.gateway.out.reply(reply, size)
		rs.mu.Lock()
		defer rs.mu.Unlock()
		switch one := rs.byID[r.GetId()]; {
		case one == nil:
		case !kept || again(reply.GetCode()):
			delete(rs.byID, r.GetId()) // the next repetition tries anew
		default:
			one.doneAt = time.Now()
		}
	})
}

// sent counts the time of an answer from when it is on its way.
func (rs *requests) sent(id uint64) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if one := rs.byID[id]; one != nil && !one.doneAt.IsZero() {
		one.doneAt = time.Now()
	}
}

// beat gives up what is not repeated any more.
func (rs *requests) beat(now time.Time) {
	const silent = 4 * beatEvery
	rs.mu.Lock()
	defer rs.mu.Unlock()
	for id, one := range rs.byID {
		if now.Sub(one.heardAt) > silent {
			one.cancel()
			delete(rs.byID, id)
		}
	}
}

// perform asks the feed.
func (rs *requests) perform(ctx context.Context, r *envelope.Request) (*envelope.Reply, int) {
	reply := &envelope.Reply{Request: r.GetId()}
	const headBytes = 256
	size := headBytes
	var err error
	f := rs.gateway.server.cfg.Feed
	switch {
	case r.GetRead() != nil:
		k, q := readIn(r.GetRead())
		var got feed.Reading
		if got, err = f.Read(ctx, k, q); err == nil {
			reply.Reading, err = readingOut(&got)
			size += sizeOf(&got.Update)
		}
	case r.GetList() != nil:
		l := r.GetList()
		var found []feed.Summary
		found, err = f.List(ctx, l.GetTenant(), l.GetPrefix(), l.GetAfter(), int(l.GetLimit()))
		for _, s := range found {
			reply.Summaries = append(reply.Summaries, summaryOut(s))
			size += headBytes
		}
	case r.GetDefault() != nil:
		var d feed.DefinitionInForce
		if d, err = f.Default(ctx, messages.Key{Tenant: r.GetDefault().GetTenant(), Dashboard: r.GetDefault().GetDashboard()}); err == nil {
			reply.Default = definitionOut(d)
			size += len(d.Canonical)
		}
	default:
		err = errUnknownRequest
	}
	if err != nil {
		reply = &envelope.Reply{Request: r.GetId()}
		reply.Code, reply.Message = errorOut(err)
		reply.Message = strings.ToValidUTF8(reply.Message, "�")
	}
	return reply, size
}
