package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"
)

// bufferBytes bounds the bytes that a Publisher holds, beside PublisherOptions.Buffer.
const bufferBytes = 8 << 20

// ErrPublisherClosed is what Publish returns after Close.
var ErrPublisherClosed = errors.New("publisher closed")

// PublisherOptions says how to send events. The zero value is ready to use.
type PublisherOptions struct {
	Dashboard string        // dashboard of events that name none
	Count     int           // most events in a batch; 0: 500
	Bytes     int           // most bytes in a batch; 0: 1 MiB
	Delay     time.Duration // longest time that an event waits for others; 0: 20 ms
	Buffer    int           // events held until Publish waits; 0: 4 batches
	Speed     float64       // replay: times as fast as the events' times; 0: at once
	Patience  time.Duration // how long a batch is retried; 0: for ever

	// called for each refused event that the server lists
	Refused func(Refusal)
	// called for each answered batch, after Refused
	Stored  func(Stored)
	Retried func(attempt int, wait time.Duration, reason error) // called before each retry
}

// Refusal is one event that the server did not store.
type Refusal struct {
	Event   []byte // as it was sent
	Reason  string // reason from docs/PROTOCOL.md
	Message string
	Tag     any // from PublishTagged
}

// Stored is the result of one batch.
type Stored struct {
	Tags      []any             // tags of its events, in order; nil for events without one
	Refused   []int             // indices of the refused events that the server lists
	Unlisted  uint64            // number of refused events beyond those
	Positions map[string]string // partition to the position of the batch's last event in it
}

// PublishStats counts events by result.
type PublishStats struct {
	Accepted uint64 // stored by the log
	Refused  uint64
	Retries  uint64 // batches sent again
}

// Publisher sends events in batches, in order, and repeats them with the same ids until the log has
// stored them. Any number of goroutines may call Publish. It owns one goroutine, which Close waits
// for.
type Publisher struct {
	client  *Client
	options PublisherOptions
	ids     string // prefix of generated ids; ~ says that no producer gave them
	counter atomic.Uint64
	replay  *Replay

	room    *semaphore.Weighted // bytes
	pending chan item
	cancel  context.CancelFunc
	done    chan struct{} // closed when the goroutine has ended
	err     error         // why it ended; valid after done

	accepted, refused, retries atomic.Uint64

	closing sync.Once
	closed  chan struct{}
	mu      sync.RWMutex // held while an item enters pending, so that Close may close it
}

// item is a payload, or the mark of a Flush.
type item struct {
	payload []byte
	tag     any
	reached chan struct{}
}

// Publisher starts a publisher.
func (c *Client) Publisher(o PublisherOptions) *Publisher {
	o.Count = orElse(o.Count, 500)
	o.Bytes = orElse(o.Bytes, 1<<20)
	o.Delay = orElse(o.Delay, 20*time.Millisecond)
	o.Buffer = orElse(o.Buffer, 4*o.Count)
	var prefix [8]byte
	rand.Read(prefix[:])
	ctx, cancel := context.WithCancel(context.Background())
	p := &Publisher{
		client: c, options: o, ids: "~" + hex.EncodeToString(prefix[:]) + "-", replay: NewReplay(o.Speed),
		room: semaphore.NewWeighted(bufferBytes), pending: make(chan item, o.Buffer),
		cancel: cancel, done: make(chan struct{}), closed: make(chan struct{}),
	}
	go p.loop(ctx)
	return p
}

// Publish accepts one event, and waits while the buffer is full. An error says that the event was
// not accepted: ctx ended, the event cannot be written as JSON, or the publisher has failed or was
// closed.
func (p *Publisher) Publish(ctx context.Context, e Event) error {
	if e.ID == "" {
		e.ID = p.nextID()
	}
	if p.options.Speed > 0 && !e.Time.IsZero() {
		if err := p.replay.Wait(ctx, e.Time); err != nil {
			return err
		}
	}
	payload, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	return p.take(ctx, payload, nil)
}

// PublishJSON is Publish with an event's own JSON (one object), which the publisher keeps. Speed
// does not pace it.
func (p *Publisher) PublishJSON(ctx context.Context, payload []byte) error {
	var named struct {
		ID *json.RawMessage `json:"id"`
	}
	payload = bytes.TrimSpace(payload)
	if err := json.Unmarshal(payload, &named); err == nil && named.ID == nil {
		payload = WithID(payload, p.nextID())
	}
	return p.take(ctx, payload, nil)
}

// PublishTagged is PublishJSON for an event that already has its id, if it needs one. Refused and
// Stored return the tag.
func (p *Publisher) PublishTagged(ctx context.Context, payload []byte, tag any) error {
	return p.take(ctx, payload, tag)
}

// Stats returns the counts so far.
func (p *Publisher) Stats() PublishStats {
	return PublishStats{p.accepted.Load(), p.refused.Load(), p.retries.Load()}
}

// Flush waits until every event accepted before is stored or refused.
func (p *Publisher) Flush(ctx context.Context) error {
	reached := make(chan struct{})
	if err := p.put(ctx, item{reached: reached}); err != nil {
		return err
	}
	select {
	case <-reached:
		return nil
	case <-p.done:
		return p.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close sends what is left and ends the publisher; ctx bounds how long that may take. Close returns
// nil if every accepted event was stored or refused.
func (p *Publisher) Close(ctx context.Context) error {
	p.closing.Do(func() {
		close(p.closed) // wakes goroutines that wait in put
		p.mu.Lock()
		close(p.pending)
		p.mu.Unlock()
	})
	defer p.cancel()
	select {
	case <-p.done:
	case <-ctx.Done():
		p.cancel()
		<-p.done
	}
	return p.err
}

func (p *Publisher) nextID() string {
	return p.ids + strconv.FormatUint(p.counter.Add(1), 36)
}

// take puts one payload into the buffer.
func (p *Publisher) take(ctx context.Context, payload []byte, tag any) error {
	weight := weigh(payload)
	if err := p.room.Acquire(ctx, weight); err != nil {
		return err
	}
	err := p.put(ctx, item{payload: payload, tag: tag})
	if err != nil {
		p.room.Release(weight)
	}
	return err
}

func (p *Publisher) put(ctx context.Context, i item) error {
	p.mu.RLock()
	defer p.mu.RUnlock()
	select { // never send to a closed publisher's pending
	case <-p.closed:
		return ErrPublisherClosed
	default:
	}
	select {
	case p.pending <- i:
		return nil
	case <-p.closed:
		return ErrPublisherClosed
	case <-p.done:
		return p.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// loop sends batches until pending is closed or a batch fails for good.
func (p *Publisher) loop(ctx context.Context) {
	defer close(p.done)
	for {
		batch, reached, more := p.collect()
		if len(batch) > 0 {
			err := p.send(ctx, batch)
			p.release(batch)
			if err != nil {
				p.err = err
				p.drop()
				return
			}
		}
		if reached != nil {
			close(reached)
		}
		if !more {
			return
		}
	}
}

// collect returns the next batch. The mark of a Flush ends it early.
func (p *Publisher) collect() (batch []item, reached chan struct{}, more bool) {
	var late <-chan time.Time
	for size := 0; len(batch) < p.options.Count && size < p.options.Bytes; {
		select {
		case i, ok := <-p.pending:
			if !ok || i.reached != nil {
				return batch, i.reached, ok
			}
			if late == nil {
				timer := time.NewTimer(p.options.Delay)
				defer timer.Stop()
				late = timer.C
			}
			batch = append(batch, i)
			size += len(i.payload) + 1
		case <-late:
			return batch, nil, true
		}
	}
	return batch, nil, true
}

func (p *Publisher) release(batch []item) {
	for _, i := range batch {
		p.room.Release(weigh(i.payload))
	}
}

// drop discards what will never be sent, and wakes those who wait for room.
func (p *Publisher) drop() {
	for {
		select {
		case i, ok := <-p.pending:
			if !ok {
				return
			}
			p.room.Release(weigh(i.payload))
		default:
			return
		}
	}
}

func weigh(payload []byte) int64 { return min(int64(len(payload)), bufferBytes) }

// WithID appends an id to an object, as its last field: of a repeated key the last one wins.
func WithID(object []byte, id string) []byte {
	end := bytes.LastIndexByte(object, '}')
	comma := ","
	if len(bytes.TrimSpace(object[1:end])) == 0 {
		comma = ""
	}
	return fmt.Appendf(make([]byte, 0, len(object)+len(id)+10), `%s%s"id":%q}`, object[:end], comma, id)
}

func orElse[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}
