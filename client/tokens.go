package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"

	"github.com/dashfeed/dashfeed/messages/wire"
)

// TokenError says that Options.TokenFunc returned no token, so nothing was sent.
type TokenError struct{ Err error }

func (e *TokenError) Error() string { return fmt.Sprintf("get a token: %v", e.Err) }
func (e *TokenError) Unwrap() error { return e.Err }

// tokens holds the token that a client and its copies use.
type tokens struct {
	fetch func(ctx context.Context) (string, error) // nil: text is the only token
	turn  chan struct{}                             // holds one value while fetch runs

	mu   sync.Mutex
	text string // "": none yet, or the server refused it
}

func newTokens(o Options) (*tokens, error) {
	if o.Token != "" && o.TokenFunc != nil {
		return nil, errors.New("options Token and TokenFunc are both set: want at most one")
	}
	return &tokens{fetch: o.TokenFunc, turn: make(chan struct{}, 1), text: o.Token}, nil
}

// renewable reports whether there may be another token after the first.
func (t *tokens) renewable() bool { return t.fetch != nil }

// current returns the token, and gets one if there is none.
func (t *tokens) current(ctx context.Context) (string, error) { return t.other(ctx, "") }

// other returns the token after old, which the caller has used: the one that another goroutine got
// meanwhile, or a new one. TokenFunc may return the old one again.
func (t *tokens) other(ctx context.Context, old string) (string, error) {
	if t.fetch == nil {
		return t.held(), nil
	}
	select {
	case t.turn <- struct{}{}:
		defer func() { <-t.turn }()
	case <-ctx.Done():
		return "", &TokenError{ctx.Err()}
	}
	if text := t.held(); text != old {
		return text, nil
	}
	text, err := t.fetch(ctx)
	if err == nil && text == "" {
		err = errors.New("TokenFunc returned an empty token")
	}
	if err != nil {
		return "", &TokenError{err}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = text
	return text, nil
}

func (t *tokens) held() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text
}

// drop forgets a token that the server refused, if there can be another.
func (t *tokens) drop(text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.fetch != nil && t.text == text {
		t.text = ""
	}
}

// authorize puts the token, if any, into a header.
func authorize(h http.Header, text string) {
	if text != "" {
		h.Set("Authorization", "Bearer "+text)
	}
}

// unauthorized reports whether the server refused the token.
func unauthorized(err error) bool {
	var e *Error
	var closed *ClosedError
	return errors.As(err, &e) && (e.Code == int(wire.CodeUnauthorized) || e.Status == http.StatusUnauthorized) ||
		errors.As(err, &closed) && closed.Code == int(wire.CloseUnauthorized)
}
