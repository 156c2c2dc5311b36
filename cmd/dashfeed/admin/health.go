package admin

import (
	"errors"
	"fmt"
	"strings"
	"sync"
)

// Health is what /readyz tells: a line a part, in start order. Parts appear while the admin
// listener serves already; until a part is there, it is starting.
type Health struct {
	mu     sync.Mutex
	checks []check
}

// check is one line of /readyz?verbose.
type check struct {
	name  string
	err   func() error
	minor bool // told, but does not make the server unready: what it does serve is still right
}

// notice is trouble of a part that is told and does not make the server unready, as with minor
// parts; the part itself can be unready too.
type notice struct{ error }

func (n notice) Unwrap() error { return n.error }

// unready reports whether the check's trouble makes the server unready.
func (c *check) unready(err error) bool {
	var only notice
	return err != nil && !c.minor && !errors.As(err, &only)
}

// NoticeOf is a notice of what is wrong; nil where nothing is.
func NoticeOf(err error) error {
	if err == nil {
		return nil
	}
	return notice{err}
}

// mostTold is how many of a part's troubles are told at once: a node may have one with each of a
// thousand shards.
const mostTold = 8

// ToldOf is a part's trouble in one line: of joined errors the first ones, and how many more there
// are.
func ToldOf(err error) string {
	lines := strings.Split(err.Error(), "\n")
	if more := len(lines) - mostTold; more > 0 {
		lines = append(lines[:mostTold], fmt.Sprintf("and %d more", more))
	}
	return strings.Join(lines, "; ")
}

var ErrStarting = errors.New("starting")

// Expect names the parts to come.
func (h *Health) Expect(names ...string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, name := range names {
		h.checks = append(h.checks, check{name: name, err: func() error { return ErrStarting }})
	}
}

// Of says how one of the expected parts is asked from now on.
func (h *Health) Of(name string, err func() error) { h.set(check{name: name, err: err}) }

// Minor is of for a part whose trouble leaves what is served right.
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

// look asks every part, without the lock: a check may take its time.
func (h *Health) look(visit func(c check, err error)) {
	h.mu.Lock()
	checks := append([]check(nil), h.checks...)
	h.mu.Unlock()
	for _, c := range checks {
		visit(c, c.err())
	}
}

// Ready is why the server is not ready, or nil.
func (h *Health) Ready() (name string, err error) {
	h.look(func(c check, e error) {
		if err == nil && c.unready(e) {
			name, err = c.name, e
		}
	})
	return name, err
}
