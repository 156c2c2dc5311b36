// Package shared is a checkpoint.Store over any place that all processes reach: a scratch store on
// the local disk, in Pebble, and a Place with the checkpoints that other processes read.
// eventlog/checkpoint/blob and eventlog/checkpoint/pulsar are the two places.
//
//	store, err := shared.Open(shared.Default("/var/lib/dashfeed/scratch"), place)
//	marker, passedOver, err := store.Load(ctx, shard)   // the newest of the place and the scratch
//	store.Lead(shard, true)
//	w, err := store.Begin(shard)
//	released, err := w.Commit(marker)                   // written to the scratch, then to the place
//
// Guarantees:
//
//  1. Commit fails only if this process's own store fails. If a checkpoint can't be published, Err
//     and the log report it; it counts in this process and releases nothing, and the next one
//     publishes what it lacked.
//  2. A process that begins to lead first reads what others wrote, and publishes only beyond the
//     greatest position that it finds.
//  3. The scratch is used if it is whole, has the same name and is as new as the place; otherwise
//     the place is. Fetch writes a checkpoint beside the existing one, which is dropped when the
//     new one is whole.
//  4. Released positions belong to whole checkpoints in the place, never to the scratch.
package shared

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/eventlog/checkpoint"
	"github.com/dashfeed/dashfeed/eventlog/checkpoint/embedded"
)

// Config says where the scratch store is and how long a publish may take.
type Config struct {
	Scratch embedded.Config
	// time after which a publish is cancelled; the next checkpoint tries again
	PublishWait time.Duration
	Logger      *slog.Logger // nil: slog.Default()
}

// Default returns the configuration of a scratch store in the directory path.
func Default(path string) Config {
	c := Config{Scratch: embedded.Default(path), PublishWait: time.Minute}
	c.Scratch.Unsynced = true
	c.Scratch.Storage.MemTableBytes = 8 << 20 // a node loads all its shards at once
	return c
}

// Validate reports every field that is out of its range.
func (c Config) Validate() error {
	err := c.Scratch.Validate()
	if c.PublishWait <= 0 {
		err = errors.Join(err, fmt.Errorf("publish wait of %s is not allowed: more than 0", c.PublishWait))
	}
	return err
}

// maxShard is the greatest shard number: the scratch store has two shards for each.
const maxShard = math.MaxInt32 / 2

// Store is a checkpoint.Store. Its goroutines release shards that it no longer leads; they end in
// Close.
type Store struct {
	config  Config
	place   Place
	scratch *embedded.Store
	life    context.Context
	end     context.CancelFunc
	work    sync.WaitGroup

	mu     sync.Mutex
	closed bool
	shards map[int]*shard
}

var _ checkpoint.Store = (*Store)(nil)

// Open opens the scratch store. The store owns the place from now on, and closes it.
func Open(c Config, place Place) (*Store, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("open shared checkpoints: %w", err)
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	scratch, err := embedded.Open(c.Scratch)
	if err != nil {
		return nil, fmt.Errorf("open scratch of shared checkpoints: %w", err)
	}
	s := &Store{config: c, place: place, scratch: scratch, shards: map[int]*shard{}}
	s.life, s.end = context.WithCancel(context.Background())
	return s, nil
}

// Err returns why checkpoints can't be written or published now, or nil.
func (s *Store) Err() error {
	errs := []error{s.scratch.Err()}
	for _, sh := range s.all() {
		errs = append(errs, sh.trouble())
	}
	return errors.Join(errs...)
}

func (s *Store) all() []*shard {
	s.mu.Lock()
	defer s.mu.Unlock()
	numbers := slices.Sorted(maps.Keys(s.shards))
	shards := make([]*shard, len(numbers))
	for i, n := range numbers {
		shards[i] = s.shards[n]
	}
	return shards
}

// Close releases every shard that it leads, and cancels a running publish.
func (s *Store) Close() error {
	s.mu.Lock()
	closed := s.closed
	s.closed = true
	s.mu.Unlock()
	if closed {
		return nil
	}
	s.end()
	s.work.Wait()
	var errs []error
	for _, sh := range s.all() {
		sh.lead(false)
		sh.io.Lock()
		errs = append(errs, sh.release())
		sh.io.Unlock()
	}
	return errors.Join(append(errs, s.place.Close(), s.scratch.Close())...)
}

// shard finds or creates the shard; after Close it returns an error.
func (s *Store) shard(number int) (*shard, error) {
	if number < 0 || number > maxShard {
		return nil, fmt.Errorf("shard %d is not allowed: 0 to %d", number, maxShard)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, fmt.Errorf("checkpoints: %w", eventlog.ErrClosed)
	}
	sh := s.shards[number]
	if sh == nil {
		sh = &shard{number: number}
		s.shards[number] = sh
	}
	return sh, nil
}
