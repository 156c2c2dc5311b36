package entries

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// maxUnsent bounds what waits to be written to a broker that reads nothing: thousands of questions.
const maxUnsent = 1 << 20

var errUnsent = errors.New("the broker reads nothing: too many questions wait for it")

// answers are the commands that answer a question, and the field that bears its number. Of one
// that says that a cursor is given up it is the cursor's.
var answers = map[int]protowire.Number{cmdSuccess: 1, cmdError: 1, cmdLastAnswer: 2, cmdAckAnswer: 6, cmdCloseConsumer: 1}

// line is a connection that many goroutines ask over. An answer is of after its question: each is
// the broker's to one.
type line struct {
	c *conn

	mu      sync.Mutex
	newest  uint64               // number given to a question or cursor
	cursors map[uint64]*Cursor   // that are open
	waiting map[uint64]*question // for an answer
	unsent  []byte               // frames
	writing bool                 // somebody writes what is unsent
	err     error                // why it has ended; nil: it has not
}

// question waits for its answer.
type question struct {
	cursor *Cursor
	body   []byte
	err    error
	done   chan struct{} // closed when it is answered
}

func newLine(c *conn) *line {
	return &line{c: c, cursors: map[uint64]*Cursor{}, waiting: map[uint64]*question{}}
}

// add makes a cursor, of which the broker knows nothing yet.
func (l *line) add() *Cursor {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.newest++
	x := &Cursor{l, l.newest}
	l.cursors[x.id] = x
	return x
}

// drop ends a cursor and what was asked by it; false where it has ended before.
func (l *line) drop(x *Cursor, why error) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cursors[x.id] == nil {
		return false
	}
	delete(l.cursors, x.id)
	for id, q := range l.waiting {
		if q.cursor == x {
			l.answer(id, q, nil, why)
		}
	}
	return true
}

// answer is called with mu held.
func (l *line) answer(id uint64, q *question, body []byte, err error) {
	delete(l.waiting, id)
	q.body, q.err = body, err
	close(q.done)
}

// ask sends a command and waits for its answer.
func (l *line) ask(ctx context.Context, x *Cursor, kind int, command func(id uint64) pack) ([]byte, error) {
	q := &question{cursor: x, done: make(chan struct{})}
	id, err := l.send(q, kind, command)
	if err != nil {
		return nil, err
	}
	select {
	case <-q.done:
		return q.body, q.err
	case <-ctx.Done():
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.waiting, id)
		return nil, context.Cause(ctx)
	}
}

// send sends a command, whose answer q waits for where it is not nil.
func (l *line) send(q *question, kind int, body func(id uint64) pack) (id uint64, err error) {
	id, write, err := l.queue(q, kind, body)
	if write {
		l.write()
	}
	return id, err
}

func (l *line) queue(q *question, kind int, body func(id uint64) pack) (id uint64, write bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.err != nil:
		return 0, false, l.err
	case q != nil && l.cursors[q.cursor.id] == nil:
		return 0, false, errGivenUp
	case len(l.unsent) > maxUnsent:
		return 0, false, errUnsent
	}
	l.newest++
	if q != nil {
		l.waiting[l.newest] = q
	}
	l.unsent = appendFrame(l.unsent, kind, body(l.newest))
	write = !l.writing
	l.writing = true
	return l.newest, write, nil
}

// write sends what is unsent, in one piece what others ask at the same moment.
func (l *line) write() {
	runtime.Gosched()
	var sending []byte
	for {
		l.mu.Lock()
		sending, l.unsent = l.unsent, sending[:0]
		l.writing = len(sending) > 0
		l.mu.Unlock()
		if len(sending) == 0 {
			return
		}
		err := l.c.SetWriteDeadline(time.Now().Add(keepAlive))
		if err == nil {
			_, err = l.c.Write(sending)
		}
		if err != nil {
			_ = l.c.Conn.Close() // read ends, and tells all
		}
	}
}

// read gives answers to who waits for them, until the connection ends.
func (l *line) read() error {
	for {
		f, err := l.c.next()
		if err != nil {
			return err
		}
		if err := l.take(f); err != nil {
			return err
		}
	}
}

func (l *line) take(f frame) error {
	number, isAnswer := answers[f.kind]
	var id uint64
	var failed error
	err := fields(f.body, func(x field) error {
		if x.number == number {
			id = x.n
		}
		return nil
	})
	switch {
	case err != nil:
		return err
	case f.kind == cmdCloseConsumer:
		l.mu.Lock()
		x := l.cursors[id]
		l.mu.Unlock()
		if x != nil {
			l.drop(x, errGivenUp)
		}
		return nil
	case !isAnswer:
		return nil
	case f.kind == cmdError:
		failed = brokerError(f.body, 2, 3)
	case f.kind == cmdAckAnswer:
		if said := brokerError(f.body, 4, 5); said.Code != 0 || said.Message != "" {
			failed = said
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if q := l.waiting[id]; q != nil {
		l.answer(id, q, f.body, failed)
	}
	return nil
}

// end answers all with the reason why there is no connection any more.
func (l *line) end(why error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err = fmt.Errorf("the connection to %s has ended: %w", l.c.host, why)
	clear(l.cursors)
	for id, q := range l.waiting {
		l.answer(id, q, nil, l.err)
	}
}

// isOpen reports whether a cursor can still be asked.
func (l *line) isOpen(x *Cursor) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cursors[x.id] != nil
}
