package actors

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/asynkron/protoactor-go/actor"
)

// blocking is a mailbox's work that blocks until it is released, either in its worker's place or
// aside.
type blocking struct {
	actor.MessageInvoker
	workers *workers
	aside   bool
	working sync.WaitGroup
	release chan struct{}
}

func (b *blocking) InvokeUserMessage(any) {
	block := func() {
		b.working.Done()
		<-b.release
	}
	if b.aside {
		b.workers.stepAside(block)
	} else {
		block()
	}
}

// However many mailboxes have messages, at most maxRunning run at once and at most maxAside step
// aside. All end with stop.
func TestWorkersAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &workers{}
		check := func(when string, running, waiting, aside, idle int) {
			t.Helper()
			synctest.Wait()
			w.mu.Lock()
			defer w.mu.Unlock()
			if w.running != running || len(w.waiting)-w.next != waiting || w.aside != aside || w.idle != idle {
				t.Errorf("%s: %d run, %d wait, %d are aside, %d idle; want %d, %d, %d, %d", when,
					w.running, len(w.waiting)-w.next, w.aside, w.idle, running, waiting, aside, idle)
			}
		}
		post := func(n int, aside bool) *blocking {
			b := &blocking{workers: w, aside: aside, release: make(chan struct{})}
			b.working.Add(n)
			for range n {
				m := newMailbox()
				m.RegisterHandlers(b, w)
				m.PostUserMessage("mail")
			}
			return b
		}
		first := post(3*maxRunning, false)
		check("working", maxRunning, 2*maxRunning, 0, 0)
		close(first.release)
		first.working.Wait()
		check("done", 0, 0, 0, maxRunning)

		aside := post(maxAside+3*maxRunning, true)
		check("aside", maxRunning, 2*maxRunning, maxAside, 0)
		close(aside.release)
		aside.working.Wait()
		check("all back", 0, 0, 0, maxIdle)

		again := post(maxRunning, false)
		check("again", maxRunning, 0, 0, maxIdle-maxRunning)
		some := post(1, true)
		check("behind them", maxRunning, 1, 0, maxIdle-maxRunning)
		close(again.release)
		some.working.Wait()
		check("aside alone", 0, 0, 1, maxIdle-1)
		close(some.release)
		w.stop()
		check("stopped", 0, 0, 0, 0)
	})
}

// The capacity for waiting mailboxes does not grow while some always wait.
func TestRoomForMailThatWaits(t *testing.T) {
	w := &workers{running: maxRunning}
	for range 64 {
		w.Schedule(func() {})
	}
	for range 100_000 {
		w.Schedule(func() {})
		w.pop()
	}
	if waits, room := len(w.waiting)-w.next, cap(w.waiting); waits != 64 || room > 4*64 {
		t.Errorf("%d wait in room for %d", waits, room)
	}
}

// endless is a mailbox that produces messages for itself until a limit.
type endless struct {
	actor.MessageInvoker
	box    actor.Mailbox
	enough func() bool
}

func (e *endless) InvokeUserMessage(any) {
	if !e.enough() {
		e.box.PostUserMessage("more")
	}
}

// Dashboards that always have messages do not keep other dashboards from their turns, however many
// there are.
func TestMailThatNeverEndsLetsOthersHaveTheirTurn(t *testing.T) {
	const most = 10_000
	w := &workers{}
	var messages, before atomic.Int32
	begin := make(chan struct{})
	post := func(e *endless) {
		e.box = newMailbox()
		e.box.RegisterHandlers(e, w)
		e.box.PostUserMessage("first")
	}
	for range maxRunning + 1 {
		post(&endless{enough: func() bool {
			<-begin
			return before.Load() > 0 || messages.Add(1) >= most
		}})
	}
	post(&endless{enough: func() bool {
		before.Store(messages.Load() + 1)
		return true
	}})
	close(begin)
	w.stop()
	if n := before.Load(); n == 0 || n >= most {
		t.Errorf("its turn came behind %d messages of others", n)
	}
	if len(w.waiting) > w.next || w.running != 0 || w.idle != 0 {
		t.Errorf("at the end %d wait, %d run, %d are idle", len(w.waiting)-w.next, w.running, w.idle)
	}
}
