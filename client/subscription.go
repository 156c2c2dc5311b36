package client

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/wire"
)

// ErrSubscriptionClosed is what Next returns after Close.
var ErrSubscriptionClosed = errors.New("subscription closed")

// SubscribeOptions says what to subscribe to.
type SubscribeOptions struct {
	Dashboard   string
	Panels      []string // nil: all panels
	MaxRate     float64  // updates a second; 0: every flush
	MaxAttempts int      // failed attempts in a row before Next gives up; 0: never give up
}

// The events that Next returns.
type (
	// Snapshot says that the view was replaced: after the first subscribe, a gap, or a new
	// definition.
	Snapshot struct{ Frame *wire.Update }
	// Update says that the view changed; Frame has the changed cells.
	Update struct{ Frame *wire.Update }
	// Status says how fresh the view is. In the state expiring the client's only token ends soon: use
	// Options.TokenFunc.
	Status struct{ Frame *wire.Status }
	// Gap says that the held cells are void; a Snapshot follows. Show the old cells until then.
	Gap struct{ Why string }
	// Disconnected says that the connection, or an attempt to connect, ended. The next call of Next
	// waits, then tries again.
	Disconnected struct {
		Err error
		// number of the attempt after Wait, from 1; starts again after a stable connection
		Attempt int
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

// Subscription is one dashboard's cells, kept up to date with the server. One goroutine uses it;
// each of its connections has a reader, which Close waits for. A caller that reads slowly misses
// only intermediate values.
type Subscription struct {
	client  *Client
	options SubscribeOptions
	view    wire.View

	conn    *connection // nil: not connected
	next    *handover   // to another server; nil: none
	turn    uint32      // index of the client's server for the next attempt
	retryAt time.Time
	backoff backoff
	refusal bool // the server refused a token, and has made no subscription since
	ended   error
}

// Subscribe makes a subscription; the first call of Next connects.
func (c *Client) Subscribe(o SubscribeOptions) *Subscription {
	return &Subscription{client: c, options: o}
}

// View returns the held cells, valid until the next call of Next.
func (s *Subscription) View() *wire.View { return &s.view }

// Place returns the place of the view, from which SubscribeOptions.Since can resume.
func (s *Subscription) Place() messages.Place { return s.view.Place() }

// Connected reports whether there is a connection now.
func (s *Subscription) Connected() bool { return s.conn != nil }

// Close ends the subscription and waits for its goroutines.
func (s *Subscription) Close() {
	s.end(ErrSubscriptionClosed)
}

// Next waits for the next event. An error ends the subscription, except ctx's own: the server said
// not to reconnect, or MaxAttempts is reached.
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

// step handles one thing; both results are nil if there is nothing to report.
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
			s.next = nil // the old connection stays until the server closes it
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

// ask subscribes from the place of the view; if that fails it closes the connection.
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

// dropped handles the end of the connection. The connection of a handover replaces it; if that is
// not open yet, dropped waits for the slot, which the server gave.
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

// lost decides what follows a lost connection: another attempt after a wait, or the end.
func (s *Subscription) lost(ctx context.Context, err error) (SubscriptionEvent, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	var after time.Duration
	var refused *Error
	if unauthorized(err) {
		if err, again := s.anotherToken(err); !again {
			return nil, err
		}
		return s.retry(err, 0)
	}
	if errors.As(err, &refused) {
		if after = refused.After; !refused.Retry {
			return nil, err
		}
	}
	var closed *ClosedError
	if errors.As(err, &closed) && !wire.CloseCode(closed.Code).MayReconnect() {
		return nil, err
	}
	return s.retry(err, after)
}

// anotherToken reports whether another attempt may help after the server refused a token: once,
// until it makes a subscription. If not, the error says why.
func (s *Subscription) anotherToken(err error) (error, bool) {
	switch {
	case s.client.tokens.renewable() && !s.refusal:
		s.refusal = true
		return err, true
	case s.refusal:
		return fmt.Errorf("the server refused the token, and then another one: %w", err), false
	case s.client.options.Token == "":
		return fmt.Errorf("the server needs a token, and the client has none: %w", err), false
	}
	return fmt.Errorf("the server refused the token: %w", err), false
}

// retry sets the time of the next attempt.
func (s *Subscription) retry(err error, after time.Duration) (SubscriptionEvent, error) {
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
		s.refusal = false
		return nil, s.view.Subscribed(f)
	case *wire.Refreshed:
		if slices.Contains(f.Revoked, s.view.Place().View.String()) {
			return nil, fmt.Errorf("the new token does not allow dashboard %s", s.options.Dashboard)
		}
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

// refused handles an error frame: the server made no subscription.
func (s *Subscription) refused(ctx context.Context, f *wire.ErrorFrame) (SubscriptionEvent, error) {
	err := &Error{Code: int(f.Code), Message: f.Message, Retry: f.Retry, After: time.Duration(f.After) * time.Millisecond}
	s.conn.close()
	s.conn = nil
	return s.lost(ctx, err)
}

// end closes what is open, once, and keeps the reason.
func (s *Subscription) end(reason error) {
	if s.ended == nil {
		s.ended = reason
	}
	s.conn.close()
	s.next.end()
	s.conn, s.next = nil, nil
}

// webSocket returns the address for subscriptions.
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
