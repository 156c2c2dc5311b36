package pulsar

import (
	"context"
	"sync"

	"github.com/dashfeed/dashfeed/eventlog"
)

// lazy holds a resource of the broker's. The first get opens it, once for all callers that wait
// meanwhile. A failure is returned to all of them and is not remembered.
type lazy[T comparable] struct {
	mu      sync.Mutex
	value   T
	open    bool
	opening *opening[T]
}

type opening[T comparable] struct {
	done  chan struct{}
	value T
	err   error
}

// get opens the value in a goroutine of the log's, so that get can return when the caller's context
// ends, although the client's calls take no context.
func (z *lazy[T]) get(ctx context.Context, l *Log, open func() (T, error)) (T, error) {
	z.mu.Lock()
	if z.open {
		defer z.mu.Unlock()
		return z.value, nil
	}
	o := z.opening
	if o == nil {
		o = &opening[T]{done: make(chan struct{})}
		started := l.work(func() {
			o.value, o.err = open()
			z.mu.Lock()
			z.value, z.open, z.opening = o.value, o.err == nil, nil
			z.mu.Unlock()
			close(o.done)
		})
		if !started {
			z.mu.Unlock()
			return o.value, eventlog.ErrClosed
		}
		z.opening = o
	}
	z.mu.Unlock()
	select {
	case <-o.done:
		return o.value, o.err
	case <-ctx.Done():
		return o.value, unreachable(context.Cause(ctx))
	}
}

// peek returns the value and whether it is open.
func (z *lazy[T]) peek() (T, bool) {
	z.mu.Lock()
	defer z.mu.Unlock()
	return z.value, z.open
}

// drop forgets the value and reports whether it was open: then the caller closes it.
func (z *lazy[T]) drop() (T, bool) {
	z.mu.Lock()
	defer z.mu.Unlock()
	was := z.open
	z.open = false
	return z.value, was
}

// lose drops a value that can't be used any more. It returns false if the value is not held any
// more.
func (z *lazy[T]) lose(value T) bool {
	z.mu.Lock()
	defer z.mu.Unlock()
	lost := z.open && z.value == value
	z.open = z.open && !lost
	return lost
}
