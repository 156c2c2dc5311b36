package entries

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// peer is the broker's end of a line.
type peer struct {
	*testing.T
	c *conn
	l *line
	// what line.read returned
	ended chan error
}

// newPeer connects a line to a peer. To test a broker that reads nothing, do not call next.
func newPeer(t *testing.T) *peer {
	ours, theirs := net.Pipe()
	end := func(raw net.Conn) *conn {
		c := &conn{Conn: raw, host: "broker:6650"}
		c.in = bufio.NewReaderSize(&answeringReader{c}, bufferBytes)
		return c
	}
	p := &peer{T: t, c: end(theirs), l: newLine(end(ours)), ended: make(chan error, 1)}
	go func() {
		err := p.l.read()
		p.l.end(err)
		p.ended <- err
	}()
	t.Cleanup(func() {
		_ = ours.Close()
		_ = theirs.Close()
		synctest.Wait()
	})
	return p
}

// asked reads the next question and returns its cursor and its number.
func (p *peer) asked(kind int) (cursor, id uint64) {
	p.Helper()
	f, err := p.c.next()
	if err != nil || f.kind != kind {
		p.Fatalf("command %d came, want %d (%v)", f.kind, kind, err)
	}
	_ = fields(f.body, func(x field) error {
		switch x.number {
		case 1:
			cursor = x.n
		case 2:
			id = x.n
		}
		return nil
	})
	return cursor, id
}

func (p *peer) answer(id uint64, entry int64) {
	at := pack(nil).number(1, 7).number(2, uint64(entry))
	if err := p.c.send(cmdLastAnswer, pack(nil).bytes(1, at).number(2, id)); err != nil {
		p.Error(err)
	}
}

// ask starts a question; the channel gets its result.
func ask(ctx context.Context, x *Cursor) <-chan string {
	said := make(chan string, 1)
	go func() {
		ledger, entry, batch, err := x.Last(ctx)
		if err != nil {
			said <- err.Error()
			return
		}
		said <- fmt.Sprintf("%d:%d:%d", ledger, entry, batch)
	}()
	return said
}

// Every question gets its own answer, whatever comes between. A question that is given up, or whose
// cursor the broker closes, does not disturb the others.
func TestLineAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		a, b := p.l.add(), p.l.add()
		first := ask(t.Context(), a)
		_, firstID := p.asked(cmdLast)
		hurried, cancel := context.WithCancelCause(t.Context())
		givenUp := ask(hurried, a)
		_, givenUpID := p.asked(cmdLast)
		second := ask(t.Context(), b)
		cursor, secondID := p.asked(cmdLast)
		if cursor != b.id || a.id == b.id {
			t.Errorf("asked by cursor %d, want %d", cursor, b.id)
		}
		cancel(errors.New("too late"))
		if got := <-givenUp; got != "too late" {
			t.Errorf("given up: %s", got)
		}
		p.answer(givenUpID, 1)
		p.answer(secondID, 2)
		p.answer(firstID, -1)
		if got := <-second; got != "7:2:-1" {
			t.Errorf("the second question's answer is %s", got)
		}
		if got := <-first; got != "7:-1:-1" {
			t.Errorf("the first question's answer is %s", got)
		}

		failed := ask(t.Context(), b)
		_, id := p.asked(cmdLast)
		lost := ask(t.Context(), a)
		p.asked(cmdLast)
		_ = p.c.send(cmdCloseConsumer, pack(nil).number(1, a.id).number(2, 99))
		_ = p.c.send(cmdError, pack(nil).number(1, id).number(2, 1).text(3, "metadata"))
		if got := <-lost; got != errConsumerClosed.Error() || a.IsOpen() || !b.IsOpen() {
			t.Errorf("of a cursor that was given up: %s; it is open: %v, the other one: %v", got, a.IsOpen(), b.IsOpen())
		}
		if got := <-failed; !strings.Contains(got, "metadata") {
			t.Errorf("the broker's error is told as %s", got)
		}
		if got := <-ask(t.Context(), a); got != errConsumerClosed.Error() {
			t.Errorf("asked again: %s", got)
		}
		if n := len(p.l.waiting); n != 0 {
			t.Errorf("%d questions wait for ever", n)
		}
	})
}

// Acknowledge returns after the broker's answer.
func TestLineAcknowledges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		x := p.l.add()
		for _, reason := range []string{"", "not allowed"} {
			told := make(chan error, 1)
			go func() { told <- x.Acknowledge(t.Context(), 7, 3) }()
			f, err := p.c.next()
			if err != nil || f.kind != cmdAck {
				t.Fatal(f.kind, err)
			}
			var id uint64
			_ = fields(f.body, func(f field) error {
				if f.number == 8 {
					id = f.n
				}
				return nil
			})
			answer := pack(nil).number(1, x.id).number(6, id)
			if reason != "" {
				answer = answer.number(4, 3).text(5, reason)
			}
			_ = p.c.send(cmdAckAnswer, answer)
			if err := <-told; (err != nil) != (reason != "") {
				t.Errorf("with the broker's %q: %v", reason, err)
			}
		}
	})
}

// Nobody waits forever for a broker that is gone or does not answer; what waits for a broker that
// reads nothing is bounded.
func TestLineEnds(t *testing.T) {
	t.Run("closed", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p := newPeer(t)
			x := p.l.add()
			said := ask(t.Context(), x)
			p.asked(cmdLast)
			_ = p.c.Conn.Close()
			if got := <-said; !strings.Contains(got, "broker:6650") || x.IsOpen() {
				t.Errorf("%s; the cursor is open: %v", got, x.IsOpen())
			}
			if got := <-ask(t.Context(), x); !strings.Contains(got, "broker:6650") {
				t.Errorf("asked again: %s", got)
			}
		})
	})
	t.Run("silent", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p := newPeer(t)
			x := p.l.add()
			began := time.Now()
			var all []<-chan string
			for range 100 {
				all = append(all, ask(t.Context(), x))
			}
			for _, said := range all {
				<-said
			}
			<-p.ended
			if took := time.Since(began); took > 2*keepAlive {
				t.Errorf("a broker that reads nothing is waited for for %s", took)
			}
		})
	})
	t.Run("full", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p := newPeer(t)
			x := p.l.add()
			first := ask(t.Context(), x)
			synctest.Wait() // the question is being written
			for len(p.l.unsent) <= maxUnsent {
				p.l.unsent = append(p.l.unsent, make([]byte, maxUnsent)...)
			}
			if got := <-ask(t.Context(), x); got != errUnsent.Error() {
				t.Errorf("too many questions: %s", got)
			}
			<-first
		})
	})
}
