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

// maxUnsent bounds the bytes that wait for a broker that reads nothing: thousands of questions.
const maxUnsent = 1 << 20

var errUnsent = errors.New("the broker reads nothing: too many questions wait for it")

// answers maps the commands that answer a question to the field that holds the question's number.
// For the command that closes a cursor, the field holds the cursor's number.
var answers = map[int]protowire.Number{cmdSuccess: 1, cmdError: 1, cmdLastAnswer: 2, cmdAckAnswer: 6, cmdCloseConsumer: 1}

// line is a connection that many goroutines send questions over. Answers may come in any order: the
// number in each says which question it answers.
type line struct {
	c *conn

	mu      sync.Mutex
	newest  uint64               // the last number given to a question or cursor
	cursors map[uint64]*Cursor   // the open cursors
	waiting map[uint64]*question // the questions without an answer
	unsent  []byte               // frames that wait to be written
	writing bool                 // a goroutine is writing unsent
	err     error                // why the connection has ended; nil: it has not
}

// question is a command that waits for its answer.
type question struct {
	cursor *Cursor
	body   []byte
	err    error
	done   chan struct{} // closed when body and err are set
}

func newLine(c *conn) *line {
	return &line{c: c, cursors: map[uint64]*Cursor{}, waiting: map[uint64]*question{}}
}

// add returns a new cursor. The broker does not know it yet.
func (l *line) add() *Cursor {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.newest++
	x := &Cursor{l, l.newest}
	l.cursors[x.id] = x
	return x
}

// drop ends a cursor and its questions, and reports whether the cursor was open.
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

// answer completes a question. The caller holds mu.
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

// send sends a command. If q is not nil, q waits for the answer.
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
		return 0, false, errConsumerClosed
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

// write writes what is unsent. Commands that goroutines send at the same moment go in one write.
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
			_ = l.c.Conn.Close() // read fails then, and ends all questions
		}
	}
}

// read hands the answers to the questions that wait for them, until the connection ends.
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
			l.drop(x, errConsumerClosed)
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

// end ends all questions with the reason why the connection has ended.
func (l *line) end(why error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err = fmt.Errorf("the connection to %s has ended: %w", l.c.host, why)
	clear(l.cursors)
	for id, q := range l.waiting {
		l.answer(id, q, nil, l.err)
	}
}

// isOpen reports whether the cursor can still be used.
func (l *line) isOpen(x *Cursor) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cursors[x.id] != nil
}
