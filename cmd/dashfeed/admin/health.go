package admin

import (
	"errors"
	"fmt"
	"strings"
	"sync"
)

// Health holds the lines of /readyz: one per part, in the order of the start. The admin listener
// serves before all parts exist; a part that does not exist yet is starting.
type Health struct {
	mu     sync.Mutex
	checks []check
}

// check is one line of /readyz?verbose.
type check struct {
	name  string
	err   func() error
	minor bool // reported, but does not make the server unready: what it serves is right
}

// notice is trouble that is reported and does not make the server unready, like that of minor
// parts. The same part can also report trouble that does.
type notice struct{ error }

func (n notice) Unwrap() error { return n.error }

// unready reports whether the error makes the server unready.
func (c *check) unready(err error) bool {
	var only notice
	return err != nil && !c.minor && !errors.As(err, &only)
}

// NoticeOf returns err as a notice; nil if err is nil.
func NoticeOf(err error) error {
	if err == nil {
		return nil
	}
	return notice{err}
}

// mostTold bounds how many of a part's errors are shown at once: a node may have one for each of a
// thousand shards.
const mostTold = 8

// ToldOf returns a part's error in one line: the first ones of joined errors, and how many more
// there are.
func ToldOf(err error) string {
	lines := strings.Split(err.Error(), "\n")
	if more := len(lines) - mostTold; more > 0 {
		lines = append(lines[:mostTold], fmt.Sprintf("and %d more", more))
	}
	return strings.Join(lines, "; ")
}

var ErrStarting = errors.New("starting")

// Expect names the parts that will start.
func (h *Health) Expect(names ...string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, name := range names {
		h.checks = append(h.checks, check{name: name, err: func() error { return ErrStarting }})
	}
}

// Of sets how to check one of the expected parts from now on.
func (h *Health) Of(name string, err func() error) { h.set(check{name: name, err: err}) }

// Minor is like Of, for a part whose trouble does not make wrong what is served.
func (h *Health) Minor(name string, err func() error) {
	h.set(check{name: name, err: err, minor: true})
}

func (h *Health) set(c check) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range h.checks {
		if h.checks[i].name == c.name {
			h.checks[i] = c
			return
		}
	}
	panic("no part is called " + c.name)
}

// look checks every part without holding the lock: a check may take its time.
func (h *Health) look(visit func(c check, err error)) {
	h.mu.Lock()
	checks := append([]check(nil), h.checks...)
	h.mu.Unlock()
	for _, c := range checks {
		visit(c, c.err())
	}
}

// Ready returns why the server is not ready, or nil.
func (h *Health) Ready() (name string, err error) {
	h.look(func(c check, e error) {
		if err == nil && c.unready(e) {
			name, err = c.name, e
		}
	})
	return name, err
}
