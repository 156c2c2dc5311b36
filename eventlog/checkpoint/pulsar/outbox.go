package pulsar

import (
	"context"
	"errors"
	"sync"

	"github.com/apache/pulsar-client-go/pulsar"
)

// batchBytes is the size of one message to the broker, which stores, caches and compacts whole
// messages.
const batchBytes = 256 << 10

// outbox sends messages and waits until the broker has confirmed them.
type outbox struct {
	leader *leader
	ctx    context.Context

	pending sync.WaitGroup
	mu      sync.Mutex
	failed  error
}

// send sends a body in pieces; it blocks while too many bytes are in flight.
func (o *outbox) send(base string, prior uint32, body []byte) {
	body = o.leader.packer.pack(body)
	of := max(1, (len(body)+pieceBytes-1)/pieceBytes)
	for n := range of {
		bytes := body[n*pieceBytes : min(len(body), (n+1)*pieceBytes)]
		key := pieceKey(base, n)
		payload := appendPiece(make([]byte, 0, len(bytes)+32), key, piece{o.leader.sequence, prior, n, of, bytes})
		o.pending.Add(1)
		o.leader.producer.SendAsync(o.ctx, &pulsar.ProducerMessage{Key: key, Payload: payload}, o.answered)
	}
}

// remove deletes the keys of an entry.
func (o *outbox) remove(base string, pieces int) {
	for n := range pieces {
		o.pending.Add(1)
		o.leader.producer.SendAsync(o.ctx, &pulsar.ProducerMessage{Key: pieceKey(base, n)}, o.answered)
	}
}

func (o *outbox) answered(_ pulsar.MessageID, _ *pulsar.ProducerMessage, err error) {
	o.fail(err)
	o.pending.Done()
}

func (o *outbox) fail(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.failed == nil {
		o.failed = err
	}
}

func (o *outbox) err() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return errors.Join(o.failed, context.Cause(o.ctx))
}

// confirmed waits for the answers to everything sent; each one comes, since sends have a timeout.
func (o *outbox) confirmed() error {
	o.fail(o.leader.producer.FlushWithCtx(o.ctx))
	if o.ctx.Err() != nil {
		return o.err() // the leader is closed: closing the producer answers the sends
	}
	o.pending.Wait()
	return o.err()
}
