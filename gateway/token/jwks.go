package token

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/sony/gobreaker/v2"
)

const (
	refreshEvery = 5 * time.Minute  // how often a key set is fetched
	retryEvery   = 30 * time.Second // the same after a failure
	askEvery     = 10 * time.Second // least time between two fetches because of an unknown kid
	fetchTimeout = 5 * time.Second  // of one fetch
	fetchWait    = 3 * time.Second  // how long a token waits for a fetch
	mostHops     = 3                // redirects of one fetch
)

// keyHost fetches the JSON Web Key Set (RFC 7517) of one issuer. One goroutine, follow, fetches;
// all who wait for keys wait for the same fetch.
type keyHost struct {
	grace   time.Duration
	client  *http.Client
	breaker *gobreaker.CircuitBreaker[*keySet]
	wake    chan struct{} // holds one element when somebody asks for a fetch

	mu    sync.Mutex
	began time.Time     // of the newest fetch
	busy  bool          // a fetch is under way
	done  chan struct{} // closed at the end of the fetch under way, or of the next one
	away  time.Time     // of the first failure since the last success; zero: none
}

func newKeyHost(k Key, dial dialer) *keyHost {
	h := &keyHost{grace: k.JWKSGrace, wake: make(chan struct{}, 1), done: make(chan struct{}), began: time.Now()}
	h.client = &http.Client{
		Timeout:   fetchTimeout,
		Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, MaxResponseHeaderBytes: 64 << 10, DisableKeepAlives: true, DialContext: dial},
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if len(via) > mostHops {
				return fmt.Errorf("more than %d redirects", mostHops)
			}
			return allowedURL(r.URL)
		},
	}
	h.breaker = gobreaker.NewCircuitBreaker[*keySet](gobreaker.Settings{
		Timeout:     time.Minute,
		ReadyToTrip: func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= 5 },
	})
	return h
}

// follow fetches the keys at once, then from time to time and when it is asked to, until ctx ends.
func (v *Verifier) follow(ctx context.Context, is *issuer) {
	next := time.NewTimer(0)
	defer next.Stop()
	for {
		select {
		case <-next.C:
		case <-is.host.wake:
		case <-ctx.Done():
			return
		}
		pause := refreshEvery
		if err := is.fetch(ctx, v.metrics); err != nil && ctx.Err() == nil {
			pause = retryEvery
			if is.failed() == nil {
				v.logger.Error("a key set can't be fetched; the keys of before are used", "issuer", is.Issuer, "for", is.host.grace, "error", err)
			}
			is.trouble.Store(&err)
		} else if ctx.Err() == nil {
			is.trouble.Store(nil)
		}
		next.Reset(pause)
	}
}

// fetch fetches the keys once, unless the breaker is open.
func (is *issuer) fetch(ctx context.Context, m *metrics) error {
	h := is.host
	h.mu.Lock()
	h.began, h.busy = time.Now(), true
	h.mu.Unlock()
	keys, err := h.breaker.Execute(func() (*keySet, error) { return is.get(ctx) })
	m.fetched(err)
	if err == nil {
		is.keys.Store(keys)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.busy = false
	switch {
	case err == nil:
		h.away = time.Time{}
	case h.away.IsZero():
		h.away = time.Now()
	}
	close(h.done)
	h.done = make(chan struct{})
	return err
}

// get requests the key set. If it is that of before, get returns the same keys.
func (is *issuer) get(ctx context.Context) (*keySet, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, is.JWKS, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", "application/jwk-set+json, application/json")
	answer, err := is.host.client.Do(r)
	if err != nil {
		return nil, fmt.Errorf("fetch keys: %w", err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("fetch keys from %s: status %d", r.URL.Redacted(), answer.StatusCode)
	}
	text, err := io.ReadAll(io.LimitReader(answer.Body, mostKeyBytes+1))
	if err != nil {
		return nil, fmt.Errorf("fetch keys from %s: %w", r.URL.Redacted(), err)
	}
	if len(text) > mostKeyBytes {
		return nil, fmt.Errorf("fetch keys from %s: more than %d bytes", r.URL.Redacted(), mostKeyBytes)
	}
	if known := is.keys.Load(); known != nil && bytes.Equal(text, is.content) {
		return known, nil
	}
	keys, err := is.parseSet(text)
	if err != nil {
		return nil, fmt.Errorf("keys from %s: %w", r.URL.Redacted(), err)
	}
	is.content = text
	return keys, nil
}

// parseSet returns the keys of a set that verify signatures with the entry's algorithms. Keys for
// other uses and of unknown kinds are passed over, as RFC 7517 section 5 asks for.
func (k Key) parseSet(text []byte) (*keySet, error) {
	var set struct{ Keys []json.RawMessage }
	if err := json.Unmarshal(text, &set); err != nil {
		return nil, fmt.Errorf("this is no key set: %w", err)
	}
	if len(set.Keys) > mostKeys {
		return nil, fmt.Errorf("the set has %d keys, at most %d are allowed", len(set.Keys), mostKeys)
	}
	var all keySet
	for _, raw := range set.Keys {
		var m jwkset.JWKMarshal
		if json.Unmarshal(raw, &m) != nil || m.USE != "" && m.USE != jwkset.UseSig || len(m.KID) > mostTextBytes {
			continue
		}
		algorithms := k.Algorithms
		if m.ALG != "" {
			if !slices.Contains(algorithms, string(m.ALG)) {
				continue
			}
			algorithms = []string{string(m.ALG)}
		}
		parsed, err := jwkset.NewJWKFromMarshal(m, jwkset.JWKMarshalOptions{}, jwkset.JWKValidateOptions{})
		if err != nil {
			continue
		}
		if one, err := newKey(m.KID, parsed.Key(), algorithms); err == nil {
			all.keys = append(all.keys, one)
		}
	}
	if len(all.keys) == 0 {
		return nil, fmt.Errorf("none of the set's %d keys verifies signatures with %v", len(set.Keys), k.Algorithms)
	}
	return &all, nil
}

// ask makes follow fetch again, and waits until it has. A fetch under way serves all who ask. It
// returns false if the newest fetch is too young, or if the wait is over.
func (h *keyHost) ask(ctx context.Context, first bool) bool {
	h.mu.Lock()
	done, busy, young := h.done, h.busy, time.Since(h.began) < askEvery
	h.mu.Unlock()
	if young && !busy && !first {
		return false
	}
	if !young {
		select {
		case h.wake <- struct{}{}:
		default: // it is asked already
		}
	}
	wait := time.NewTimer(fetchWait)
	defer wait.Stop()
	select {
	case <-done:
		return true
	case <-wait.C:
	case <-ctx.Done():
	}
	return false
}

// outdated reports whether the host has been away for so long that its keys do not count any more.
func (h *keyHost) outdated(now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return !h.away.IsZero() && now.Sub(h.away) > h.grace
}
