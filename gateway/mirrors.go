package gateway

import (
	"context"
	"sync"
	"time"

	"github.com/dashfeed/dashfeed/gateway/limits"
	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/wire"
)

// mirrors holds a gateway's mirrors by dashboard, at most Max. A mirror that nobody holds stays for
// Linger, so that a client that reconnects finds it.
type mirrors struct {
	ctx    context.Context // ends with the server
	cfg    Config
	stats  *stats
	wg     *sync.WaitGroup
	budget *views
	kept   *kept

	mu     sync.Mutex
	byKey  map[messages.Key]*mirror
	closed bool
}

// acquire returns the mirror of k, filled. It waits for the first read. Return the mirror with
// release.
func (ms *mirrors) acquire(ctx context.Context, k messages.Key) (*mirror, error) {
	m, err := ms.hold(k)
	if err != nil {
		return nil, err
	}
	select {
	case <-m.loaded:
	case <-ctx.Done():
		ms.release(m)
		return nil, ctx.Err()
	}
	if m.err != nil {
		ms.forget(m)
		return nil, m.err
	}
	return m, nil
}

func (ms *mirrors) hold(k messages.Key) (*mirror, error) {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	if ms.closed {
		return nil, wire.Errorf(wire.CodeStarting, "the gateway stops")
	}
	m := ms.byKey[k]
	if m == nil {
		if most := ms.cfg.Limits.Most(limits.ProcessMirrors); float64(len(ms.byKey)) >= most {
			return nil, ms.cfg.Limits.Refuse(limits.ProcessMirrors, &limits.By{}, most)
		}
		m = newMirror(k, ms.cfg, ms.stats, ms.budget, ms.kept)
		ms.byKey[k] = m
		ms.wg.Go(func() { m.run(ms.ctx, ms.cfg.Mirrors.Load) })
	}
	m.refs++
	return m, nil
}

// release returns a mirror that acquire has given.
func (ms *mirrors) release(m *mirror) {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	if m.refs--; m.refs == 0 {
		m.idle = time.Now()
	}
}

// forget drops a mirror whose first read failed, so that the next caller tries again.
func (ms *mirrors) forget(m *mirror) {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	m.refs--
	if ms.byKey[m.key] == m {
		delete(ms.byKey, m.key)
	}
}

// count adds n to the number of subscriptions of a mirror.
func (ms *mirrors) count(m *mirror, n int) {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	m.views += n
}

// sweep ends the mirrors that nobody has held for Linger. It makes the others drop what nobody
// uses, and check their state.
func (ms *mirrors) sweep(now time.Time) {
	var ended, held []*mirror
	ms.mu.Lock()
	for k, m := range ms.byKey {
		if m.refs == 0 && now.Sub(m.idle) >= ms.cfg.Mirrors.Linger {
			delete(ms.byKey, k)
			close(m.done)
			ended = append(ended, m)
			continue
		}
		held = append(held, m)
	}
	ms.mu.Unlock()
	for _, m := range ended {
		m.letGo(true)
	}
	for _, m := range held {
		m.letGo(false)
	}
	ms.look()
}

// look makes every mirror that is held check its state.
func (ms *mirrors) look() {
	ms.mu.Lock()
	var held []*mirror
	for _, m := range ms.byKey {
		if m.refs > 0 {
			held = append(held, m)
		}
	}
	ms.mu.Unlock()
	for _, m := range held {
		select {
		case <-m.loaded:
			m.look()
		default:
		}
	}
}

// close ends every mirror and refuses new ones.
func (ms *mirrors) close() {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	ms.closed = true
	for k, m := range ms.byKey {
		delete(ms.byKey, k)
		close(m.done)
	}
}

// views returns the number of subscriptions of the dashboard.
func (ms *mirrors) views(k messages.Key) int {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	if m := ms.byKey[k]; m != nil {
		return m.views
	}
	return 0
}
