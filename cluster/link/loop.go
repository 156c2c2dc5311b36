package link

import (
	"sync"
	"sync/atomic"
)

// loop delivers what a node sends to itself, in order, from a goroutine of its own: a handler that answers at once must not
// find itself inside the one that asked.
type loop struct {
	mail chan selfMail
	done chan struct{}
	work sync.WaitGroup

	bytes atomic.Int64 // waiting
}

type selfMail struct {
	kind Kind
	body []byte
}

// What a node may have waiting for itself.
const (
	maxSelf      = 1024
	maxSelfBytes = 4 << 20
)

func (o *loop) start(deliver func(Peer, Kind, []byte), self Peer) {
	o.mail, o.done = make(chan selfMail, maxSelf), make(chan struct{})
	o.work.Go(func() {
		for {
			select {
			case m := <-o.mail:
				o.bytes.Add(-int64(len(m.body)))
				deliver(self, m.kind, m.body)
			case <-o.done:
				return
			}
		}
	})
}

func (o *loop) put(k Kind, body []byte) bool {
	size := int64(len(body))
	if o.bytes.Add(size) <= maxSelfBytes {
		select {
		case o.mail <- selfMail{k, body}:
			return true
		default:
		}
	}
	o.bytes.Add(-size)
	return false
}

func (o *loop) stop() {
	if o.done != nil {
		close(o.done)
		o.work.Wait()
	}
}
