package gateway

import (
	"context"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/gateway/limits"
	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/event"
	"github.com/dashfeed/dashfeed/messages/wire"
)

// IngestConfig says where Ingest appends, and its bounds. Zero values get the defaults named here.
type IngestConfig struct {
	Log       eventlog.Appender // required
	BodyBytes int               // bytes of one body, also inflated; 0: 8 MiB
	Timeout   time.Duration     // how long the log may take; 0: 30 s
	// nil: not checked, and events may be stored that no dashboard receives
	Room       Room
	Limits     *limits.Limits        // nil: the defaults
	Registerer prometheus.Registerer // nil: metrics are counted and not exported
}

// Room returns nil if a record of the dashboard would be accepted, or if this is unknown. It
// returns feed.ErrCrowded if the record would be refused, also because its tenant has `most`
// dashboards in the shard. coming is how many others are about to be appended. first reports
// whether the record is known to be the dashboard's first.
type Room func(ctx context.Context, k messages.Key, most, coming int) (first bool, err error)

// Ingest serves POST /v1/events. It refuses what it cannot parse, route or hold in memory. It
// answers 202 only for events that the log has stored. Dashboards make every other decision. It is
// safe for concurrent use and starts no goroutine.
type Ingest struct {
	cfg     IngestConfig
	bodies  bodies
	metrics *ingestMetrics
}

// NewIngest returns the Ingest of a log.
func NewIngest(cfg IngestConfig) (*Ingest, error) {
	if cfg.Log == nil {
		return nil, errors.New("ingest config: log is missing")
	}
	if cfg.BodyBytes < 0 || cfg.Timeout < 0 {
		return nil, fmt.Errorf("ingest config: body of %d bytes, timeout %v: neither may be negative", cfg.BodyBytes, cfg.Timeout)
	}
	set(&cfg.BodyBytes, 8<<20)
	set(&cfg.Timeout, 30*time.Second)
	if cfg.Limits == nil {
		cfg.Limits = limits.Default()
	}
	// otherwise the largest body of MessagePack of one client could never be accepted
	inFlight := max(int64(cfg.Limits.MostInt(limits.ProcessBodyBytes)), 6*int64(cfg.BodyBytes))
	return &Ingest{cfg: cfg, bodies: newBodies(cfg.BodyBytes, inFlight, "a body", ": send the events in several requests", cfg.Limits), metrics: newIngestMetrics(cfg.Registerer)}, nil
}

// handler serves POST /v1/events. It returns nil if there is no ingest.
func (g *Ingest) handler() handler {
	if g == nil {
		return nil
	}
	return g.serve
}

// refused counts a request that was answered before its body was read.
func (g *Ingest) refused(status int) { g.metrics.answered(status) }

// serve handles one request's events.
func (g *Ingest) serve(w http.ResponseWriter, r *http.Request, q query, c caller) {
	began := time.Now()
	status := g.take(w, r, q, c)
	g.metrics.seconds.Observe(time.Since(began).Seconds())
	g.metrics.answered(status)
}

func (g *Ingest) take(w http.ResponseWriter, r *http.Request, q query, c caller) (status int) {
	route := event.Route{Tenant: c.bound(), Dashboard: q["dashboard"]}
	if route.Dashboard != "" {
		if err := messages.CheckName("dashboard", route.Dashboard); err != nil {
			return writeError(w, wire.Errorf(wire.CodeBadField, "%v", err))
		}
	}
	if err := c.mayPublish(); err != nil {
		return writeError(w, err)
	}
	if err := g.full(r, c); err != nil {
		return g.answer(w, ingestAnswer{Refused: []ingestRefusal{}, Positions: map[string]string{}}, err)
	}
	b, err := g.bodies.read(w, r, c)
	defer b.release()
	if err != nil {
		return writeError(w, err)
	}
	g.metrics.bytes.Add(float64(len(b.bytes)))

	batch := newBatch(route, c, g.cfg.Log)
	if g.cfg.Room != nil {
		by := c.by()
		batch.room = func(k messages.Key, first, coming int) (bool, error) {
			return roomOf(r.Context(), g.cfg.Room, g.cfg.Limits, &by, k, first, coming)
		}
	}
	if err := g.split(r, b, batch); err != nil {
		return g.answer(w, batch.answer(nil), err)
	}
	if err := batch.limitEvents(g.cfg.Limits, len(b.bytes)); err != nil {
		batch.clear()
		return g.answer(w, batch.answer(nil), err)
	}
	for reason, n := range batch.reasons {
		g.metrics.refused.WithLabelValues(reason).Add(float64(n))
	}
	if len(batch.entries) == 0 {
		return g.answer(w, batch.answer(nil), batch.nothing())
	}
	ctx, cancel := context.WithTimeout(r.Context(), g.cfg.Timeout)
	defer cancel()
	receipts, err := g.cfg.Log.Append(ctx, batch.entries)
	if err != nil {
		// A log that stops waiting may still be writing, so this buffer must not be used again.
		b.abandon()
		err = logError(err)
	}
	if err == nil {
		defer batch.release() // not after an error: like the buffer, the batch may be in use then
		if body, ok := batch.appendPlain(make([]byte, 0, 256), receipts); ok {
			g.metrics.accepted.Add(float64(len(receipts)))
			writeBody(w, http.StatusAccepted, body)
			return http.StatusAccepted
		}
	}
	a := batch.answer(receipts)
	g.metrics.accepted.Add(float64(a.Accepted))
	if a.Accepted < len(batch.entries) && err == nil {
		err = wire.Errorf(wire.CodeLogUnreachable, "the log stored %d of %d events", a.Accepted, len(batch.entries))
	}
	return g.answer(w, a, err)
}

// full returns an error if the tenant of all the request's events is over a limit, before anything
// is read. Without a tenant in the address, the events may belong to others, and are read first.
func (g *Ingest) full(r *http.Request, c caller) error {
	if c.bound() == "" {
		return nil
	}
	by, k := c.by(), limits.Key{Tenant: c.bound()}
	if err := g.cfg.Limits.Check(limits.TenantEvents, &by, k, 1); err != nil {
		return err
	}
	if err := g.cfg.Limits.Check(limits.TenantBytes, &by, k, int(max(1, r.ContentLength))); err != nil {
		return err
	}
	return nil
}

// split fills the batch from the body. An error applies to the whole body, and nothing of it is
// stored.
func (g *Ingest) split(r *http.Request, b *body, batch *batch) error {
	var err error
	if t := r.Header.Get("Content-Type"); strings.HasPrefix(strings.ToLower(strings.TrimSpace(t)), "multipart/") {
		return wire.Errorf(wire.CodeBadOption, "Content-Type %.40q is no body of events: send them as they are, as curl --data-binary @FILE does", t)
	}
	if isMessagePack(r) {
		// Text grows at most sixfold in JSON (control characters), so that small bodies reserve little.
		limit := min(2*g.cfg.BodyBytes, 6*len(b.bytes)+64)
		if err := b.reserve(int64(limit)); err != nil {
			return err
		}
		err = event.FromMessagePack(b.bytes, limit, batch.add)
	} else {
		err = event.Split(b.bytes, batch.add)
	}
	var whole *event.BodyError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &whole) && whole.TooLarge:
		batch.clear()
		return wire.Errorf(wire.CodeTooBig, "%s", whole.Message)
	}
	batch.clear()
	return wire.Errorf(wire.CodeBadMessage, "%v", err)
}

// answer writes the result of a request. The status is 202 if err is nil.
func (g *Ingest) answer(w http.ResponseWriter, a ingestAnswer, err error) (status int) {
	status = http.StatusAccepted
	if err != nil {
		a.Warnings = nil // they are about accepted events
		a.Error = asError(err)
		status = a.Error.Code.Entry().Status
		retryAfter(w, status, a.Error.After)
	}
	writeJSON(w, status, a)
	return status
}

// isMessagePack reports whether the request says so. Every other body is parsed as JSON.
func isMessagePack(r *http.Request) bool {
	given := r.Header.Get("Content-Type")
	if !strings.Contains(strings.ToLower(given), "msgpack") {
		return false // as for most requests, which then need no parsing
	}
	t, _, _ := mime.ParseMediaType(given)
	return t == "application/msgpack" || t == "application/x-msgpack" || t == "application/vnd.msgpack"
}

// logError translates a log's error to one of the protocol.
func logError(err error) error {
	if errors.Is(err, eventlog.ErrUnknownTenant) {
		return asError(err)
	}
	if errors.Is(err, eventlog.ErrFull) {
		return wire.Errorf(wire.CodeStorageFull, "the log takes no more events: %v", err)
	}
	return wire.Errorf(wire.CodeLogUnreachable, "the log did not confirm: %v", err)
}
