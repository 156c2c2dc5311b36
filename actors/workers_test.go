package actors

import (
	"sync"
	"testing"
	"testing/synctest"

	"github.com/asynkron/protoactor-go/actor"
)

// blocking is mail that is worked on until it is let go.
type blocking struct {
	actor.MessageInvoker
	working sync.WaitGroup
	letGo   chan struct{}
}

func (b *blocking) InvokeUserMessage(any) {
	b.working.Done()
	<-b.letGo
}

// However many mailboxes have mail, so many run at once and no more, and so many workers stay; they are used again, and all
// end with stop.
func TestWorkersAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &workers{}
		counts := func() (running, waiting, idle int) {
			w.mu.Lock()
			defer w.mu.Unlock()
			return w.running, len(w.waiting) - w.next, w.idle
		}
		post := func(n int) *blocking {
			b := &blocking{letGo: make(chan struct{})}
			b.working.Add(n)
			for range n {
				m := &mailbox{workers: w}
				m.RegisterHandlers(b, nil)
				m.PostUserMessage("mail")
			}
			synctest.Wait()
			return b
		}
		first := post(3 * maxWorkers)
		if running, waiting, idle := counts(); running != maxWorkers || waiting != 2*maxWorkers || idle != 0 {
			t.Errorf("%d run, %d wait, %d are idle", running, waiting, idle)
		}
		close(first.letGo)
		first.working.Wait()
		synctest.Wait()
		if running, waiting, idle := counts(); running != 0 || waiting != 0 || idle != maxIdle {
			t.Errorf("done: %d run, %d wait, %d are idle", running, waiting, idle)
		}
		again := post(maxIdle - 2)
		if running, _, idle := counts(); running != maxIdle-2 || idle != 2 {
			t.Errorf("again: %d run, %d are idle", running, idle)
		}
		close(again.letGo)
		w.stop()
		if running, _, idle := counts(); running != 0 || idle != 0 {
			t.Errorf("stopped: %d run, %d are idle", running, idle)
		}
	})
}
