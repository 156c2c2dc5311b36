package client

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/wire"
)

// ErrSubscriptionClosed is what Next returns after Close.
var ErrSubscriptionClosed = errors.New("subscription closed")

// SubscribeOptions says what to subscribe to.
type SubscribeOptions struct {
	Dashboard   string
	Panels      []string // nil: all
	MaxRate     float64  // updates a second; 0: every flush
	MaxAttempts int      // failed attempts in a row until Next gives up; 0: never
}

// What Next returns.
type (
	// Snapshot says that the view was replaced: after the first subscribe, a gap, a changed
	// definition.
	Snapshot struct{ Frame *wire.Update }
	// Update says that the view moved; Frame tells by which cells.
	Update struct{ Frame *wire.Update }
	// Status says how fresh the view is.
	Status struct{ Frame *wire.Status }
	// Gap says that what is held is void; a Snapshot follows. The cells stay to be shown meanwhile.
	Gap struct{ Why string }
	// Disconnected says that the connection, or an attempt at one, ended; the next call of Next
	// waits, then tries again.
	Disconnected struct {
		Err     error
		Attempt int // the one that Wait leads to, from 1; begins anew after a stable connection
		Wait    time.Duration
	}
)

// SubscriptionEvent is a *Snapshot, *Update, *Status, *Gap or *Disconnected.
type SubscriptionEvent interface{ subscriptionEvent() }

func (*Snapshot) subscriptionEvent()     {}
func (*Update) subscriptionEvent()       {}
func (*Status) subscriptionEvent()       {}
func (*Gap) subscriptionEvent()          {}
func (*Disconnected) subscriptionEvent() {}

// Subscription is one dashboard's cells, kept as the server has them. One goroutine uses it; each
// of its connections has a reader, which Close joins. A caller who is slow is a slow client, and
// misses only values in between.
type Subscription struct {
	client  *Client
	options SubscribeOptions
	view    wire.View

	conn    *connection // nil: not connected
	next    *handover   // to a server that does not drain; nil: none
	turn    uint32      // whose turn the next attempt is, among the client's servers
	retryAt time.Time
	backoff backoff
	ended   error
}

// Subscribe makes a subscription; the first call of Next connects.
func (c *Client) Subscribe(o SubscribeOptions) *Subscription {
	return &Subscription{client: c, options: o}
}

// View is what is held, good until the next call of Next.
func (s *Subscription) View() *wire.View { return &s.view }

// Place is where the view stands: what SubscribeOptions.Since resumes from.
func (s *Subscription) Place() messages.Place { return s.view.Place() }

// Connected reports whether there is a connection at the moment.
func (s *Subscription) Connected() bool { return s.conn != nil }

// Close ends the subscription and joins its goroutines.
func (s *Subscription) Close() {
	s.end(ErrSubscriptionClosed)
}

// Next waits for the next event. An error ends the subscription, except ctx's own: the server says
// not to come back, or MaxAttempts is reached.
func (s *Subscription) Next(ctx context.Context) (SubscriptionEvent, error) {
	for {
		e, err := s.step(ctx)
		if err != nil && ctx.Err() == nil {
			s.end(err)
		}
		if e != nil || err != nil {
			return e, err
		}
	}
}

// step does one thing; both results are nil where it was nothing to tell.
func (s *Subscription) step(ctx context.Context) (SubscriptionEvent, error) {
	if s.ended != nil {
		return nil, s.ended
	}
	if s.conn == nil && s.next == nil {
		if err := pause(ctx, time.Until(s.retryAt)); err != nil {
			return nil, err
		}
		conn, err := s.open(ctx)
		if err != nil {
			return s.lost(ctx, err)
		}
		s.conn = conn
	}
	select {
	case f, ok := <-s.conn.read():
		if !ok {
			return s.dropped(ctx)
		}
		return s.take(ctx, s.conn, f)
	case f, ok := <-s.next.read():
		if !ok {
			s.next.end()
			s.next = nil // the old connection goes on until the server closes it
			return nil, nil
		}
		return s.takeOver(ctx, f)
	case o := <-s.next.opened():
		return s.opened(ctx, o)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// open connects to the server whose turn it is and subscribes from the place of the view.
func (s *Subscription) open(ctx context.Context) (*connection, error) {
	turn := s.turn
	s.turn++
	conn, err := s.client.connect(ctx, turn)
	if err == nil {
		err = s.ask(conn)
	}
	if err != nil {
		return nil, err
	}
	return conn, nil
}

// ask subscribes from the place of the view; where that fails the connection is closed.
func (s *Subscription) ask(conn *connection) error {
	if err := conn.send(s.request()); err != nil {
		conn.close()
		return &UnreachableError{conn.server, err}
	}
	return nil
}

func (s *Subscription) request() *wire.Subscribe {
	f := &wire.Subscribe{ID: new(int64(1)), Tenant: s.client.options.Tenant, Dashboard: s.options.Dashboard, Panels: s.options.Panels, MaxRate: s.options.MaxRate}
	place := s.view.Place()
	if !s.view.Empty() && place.Version != 0 {
		f.Since = &wire.Place{Epoch: place.Epoch.String(), Version: place.Version}
		if place.View != 0 {
			f.Since.View = place.View.String()
		}
	}
	return f
}

// dropped is told that the connection has ended. The one of a handover takes its place, and where
// that has yet to open, its slot is waited for: it was given by the server.
func (s *Subscription) dropped(ctx context.Context) (SubscriptionEvent, error) {
	err := s.conn.close()
	if s.conn.stable() {
		s.backoff.reset()
	}
	s.conn = nil
	switch {
	case s.next == nil:
		return s.lost(ctx, err)
	case s.next.conn != nil:
		s.conn, s.next = s.next.conn, nil
		return nil, nil
	}
	s.backoff.attempts++
	return &Disconnected{err, s.backoff.attempts, max(0, time.Until(s.next.slot))}, nil
}

// lost decides what a lost connection means: another attempt after a wait, or the end.
func (s *Subscription) lost(ctx context.Context, err error) (SubscriptionEvent, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	var after time.Duration
	var refused *Error
	if errors.As(err, &refused) {
		if after = refused.After; !refused.Retry {
			return nil, err
		}
	}
	var closed *ClosedError
	if errors.As(err, &closed) && !wire.CloseCode(closed.Code).MayReconnect() {
		return nil, err
	}
	if s.options.MaxAttempts > 0 && s.backoff.attempts >= s.options.MaxAttempts {
		return nil, fmt.Errorf("gave up after %d attempts: %w", s.backoff.attempts, err)
	}
	wait := s.backoff.next(after)
	s.retryAt = time.Now().Add(wait)
	return &Disconnected{err, s.backoff.attempts, wait}, nil
}

// take handles one frame of the connection.
func (s *Subscription) take(ctx context.Context, conn *connection, f wire.Frame) (SubscriptionEvent, error) {
	switch f := f.(type) {
	case *wire.Subscribed:
		return nil, s.view.Subscribed(f)
	case *wire.Update:
		return s.apply(conn, f)
	case *wire.Gap:
		s.view.Gap()
		return &Gap{f.Why}, nil
	case *wire.Status:
		return &Status{f}, nil
	case *wire.Drain:
		s.drained(f)
	case *wire.ErrorFrame:
		return s.refused(ctx, f)
	}
	return nil, nil // a frame of a later protocol
}

func (s *Subscription) apply(conn *connection, f *wire.Update) (SubscriptionEvent, error) {
	changed, err := s.view.Apply(f)
	switch {
	case errors.Is(err, wire.ErrGap):
		return nil, conn.send(s.request())
	case err != nil:
		return nil, err
	case !changed:
		return nil, nil
	case f.From == 0:
		return &Snapshot{f}, nil
	}
	return &Update{f}, nil
}

// refused handles an error frame: the subscription was not made.
func (s *Subscription) refused(ctx context.Context, f *wire.ErrorFrame) (SubscriptionEvent, error) {
	err := &Error{Code: int(f.Code), Message: f.Message, Retry: f.Retry, After: time.Duration(f.After) * time.Millisecond}
	s.conn.close()
	s.conn = nil
	return s.lost(ctx, err)
}

// end closes what is open, once, for the reason.
func (s *Subscription) end(reason error) {
	if s.ended == nil {
		s.ended = reason
	}
	s.conn.close()
	s.next.end()
	s.conn, s.next = nil, nil
}

// webSocket is the address of the door for subscriptions.
func (c *Client) webSocket(turn uint32) *url.URL {
	u := c.base(turn).JoinPath("/v1/ws")
	if c.options.Tenant != "" {
		u.RawQuery = url.Values{"tenant": {c.options.Tenant}}.Encode()
	}
	u.Scheme = "ws"
	if c.base(turn).Scheme == "https" {
		u.Scheme = "wss"
	}
	return u
}
