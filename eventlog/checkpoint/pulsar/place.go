package pulsar

import (
	"context"
	"errors"
	"fmt"

	"github.com/apache/pulsar-client-go/pulsar"

	"github.com/dashfeed/dashfeed/eventlog/checkpoint"
	"github.com/dashfeed/dashfeed/eventlog/checkpoint/shared"
	"github.com/dashfeed/dashfeed/eventlog/pulsar/broker"
	"github.com/dashfeed/dashfeed/messages"
)

// place is a shared.Place in compacted topics. Producers and readers have a client each: the bound
// on a client's memory can deadlock if both share it.
type place struct {
	config    Config
	admin     admin
	producing pulsar.Client
	reading   pulsar.Client
	readers   chan struct{} // bounds how many partitions are read at a time
}

// Open opens the scratch store. The first request to the broker comes when a shard is loaded.
func Open(c Config) (*shared.Store, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("open checkpoints on Pulsar: %w", err)
	}
	c = c.withDefaults()
	p := &place{config: c, readers: make(chan struct{}, atOnce)}
	var err error
	if p.admin.Admin, err = broker.NewAdmin(c.AdminURL, c.Security, c.Timeout); err == nil {
		p.producing, err = newClient(c)
	}
	if err == nil {
		p.reading, err = newClient(c)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open checkpoints on Pulsar: %w", err), p.Close())
	}
	store, err := shared.Open(c.Shared, p)
	if err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return store, nil
}

// maxBufferedBytes bounds the bytes that wait for the broker's answer.
const maxBufferedBytes = 32 << 20

func newClient(c Config) (pulsar.Client, error) {
	return broker.NewClient(broker.Options{
		URL: c.BrokerURL, Security: c.Security, Connect: c.Timeout, Answer: c.Timeout, Memory: maxBufferedBytes, Words: broker.NewWords(c.Logger),
	})
}

func (p *place) Name(shard int) (string, error) { return p.config.Name(shard) }

func (p *place) Close() error {
	if p.producing != nil {
		p.producing.Close()
	}
	if p.reading != nil {
		p.reading.Close()
	}
	if p.admin.Admin != nil {
		p.admin.Close()
	}
	return nil
}

// Fetch reads the partition once if the marker at its end is whole: that marker tells the slot
// whose entries it needs. If it is not whole, or the end is not a marker, Fetch reads again,
// knowing the content. A leader may write meanwhile: Fetch tries a few times.
func (p *place) Fetch(ctx context.Context, shard int, have messages.Position, begin func() (checkpoint.Writer, error)) (fetched bool, passedOver, err error) {
	topic, err := p.config.Topic(shard)
	if err != nil {
		return false, nil, err
	}
	slot, position, err := p.tail(ctx, topic)
	if err != nil {
		return false, nil, err
	}
	if slot != none && !position.After(have) {
		return false, nil, nil
	}
	const tries = 4
	for range tries {
		c, fetched, err := p.fetch(ctx, topic, slot, have, begin)
		if err != nil {
			return false, nil, err
		}
		newest, passedOver := c.newest()
		switch {
		case fetched && (newest == slot || newest == none):
			// a leader that has begun the next one has not damaged it
			return true, damageOf(passedOver), nil
		case fetched:
			return true, nil, nil
		case newest == none && errors.Is(passedOver, checkpoint.ErrCorrupt):
			return false, nil, passedOver
		case newest == none:
			return false, nil, checkpoint.ErrNone
		case !c.marks[newest].Position.After(have):
			return false, damageOf(passedOver), nil
		}
		slot = newest
	}
	return false, nil, fmt.Errorf("read %s: its checkpoints were overwritten %d times during the read", topic, tries)
}

// Newest implements shared.Place: it reads the marker at the partition's end, or, if a leader is
// about to write another, the newest marker in it. A newest checkpoint that is not whole still
// counts: it was whole once.
func (p *place) Newest(ctx context.Context, shard int) (messages.Position, error) {
	topic, err := p.config.Topic(shard)
	if err != nil {
		return messages.Position{}, err
	}
	slot, position, err := p.tail(ctx, topic)
	if err != nil || slot != none {
		return position, err
	}
	c, err := newContents()
	if err != nil {
		return messages.Position{}, err
	}
	defer c.close()
	err = p.read(ctx, topic, c)
	return c.greatest, err
}

// damageOf turns ErrNone into nil.
func damageOf(err error) error {
	if errors.Is(err, checkpoint.ErrCorrupt) {
		return err
	}
	return nil
}

// fetch reads the partition to its end. With a slot, its entries go to a writer, which is committed
// if they turn out to be whole and newer than have.
func (p *place) fetch(ctx context.Context, topic string, slot int, have messages.Position, begin func() (checkpoint.Writer, error)) (c *contents, fetched bool, err error) {
	if c, err = newContents(); err != nil {
		return nil, false, err
	}
	defer c.close()
	if slot == none {
		return c, false, p.read(ctx, topic, c)
	}
	w, err := begin()
	if err != nil {
		return nil, false, err
	}
	c.fetching, c.put, c.take = slot, w.Put, w.Remove
	err = p.read(ctx, topic, c)
	if err == nil && c.whole(slot) == nil && c.marks[slot].Position.After(have) {
		_, err = w.Commit(c.marks[slot].Marker)
		fetched = err == nil
	}
	return c, fetched, errors.Join(err, w.Abort())
}
