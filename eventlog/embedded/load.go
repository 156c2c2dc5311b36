package embedded

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/dashfeed/dashfeed/eventlog"
)

// loadPartition finds a partition's ends. It reads the list of chunks and the newest chunk, no more.
func loadPartition(db *pebble.DB, n int) (p *partition, lastAppend int64, err error) {
	p = &partition{number: n, grown: make(chan struct{})}
	trimmed, lastAppend, err := loadFloor(db, n)
	if err != nil {
		return nil, 0, err
	}
	p.floor, p.last, p.released = trimmed+1, trimmed, trimmed
	if err := scan(db, chunkSpace, n, 0, func(key, value []byte) error {
		if len(value) != 16 {
			return fmt.Errorf("%w: chunk at position %d has %d bytes, want 16", eventlog.ErrCorrupt, sequenceOf(key), len(value))
		}
		p.chunks = append(p.chunks, chunk{
			first:  sequenceOf(key),
			time:   int64(binary.BigEndian.Uint64(value)),
			before: int64(binary.BigEndian.Uint64(value[8:])),
		})
		return nil
	}); err != nil {
		return nil, 0, err
	}
	p.tail = tail{last: p.last, chunkAt: -1}
	from := p.floor
	if n := len(p.chunks); n > 0 {
		newest := p.chunks[n-1]
		p.tail.chunkAt, p.tail.written = newest.before, newest.before
		lastAppend = max(lastAppend, newest.time)
		from = newest.first
	}
	// Only lengths and times are needed here; a corrupt record is its reader's error.
	err = scan(db, recordSpace, n, from, func(key, value []byte) error {
		p.tail.last = sequenceOf(key)
		p.tail.written += int64(len(key) + len(value))
		if checkRecord(key, value) == nil {
			lastAppend = max(lastAppend, appendTimeOf(value))
		}
		return nil
	})
	p.last, p.newest, p.written = p.tail.last, lastAppend, p.tail.written
	return p, lastAppend, err
}

// loadFloor is the last position trimmed, and the log's append time then: what is left of a partition that is empty.
func loadFloor(db *pebble.DB, n int) (trimmed uint64, lastAppend int64, err error) {
	value, closer, err := db.Get(floorKey(n))
	if errors.Is(err, pebble.ErrNotFound) {
		return 0, 0, nil
	}
	if err != nil {
		return 0, 0, fmt.Errorf("read floor: %w", err)
	}
	defer closer.Close()
	if len(value) != 16 {
		return 0, 0, fmt.Errorf("%w: floor has %d bytes, want 16", eventlog.ErrCorrupt, len(value))
	}
	return binary.BigEndian.Uint64(value), int64(binary.BigEndian.Uint64(value[8:])), nil
}

func floorKey(partition int) []byte {
	return binary.BigEndian.AppendUint16([]byte{floorSpace}, uint16(partition))
}

func floorValue(trimmed uint64, lastAppend int64) []byte {
	b := binary.BigEndian.AppendUint64(nil, trimmed)
	return binary.BigEndian.AppendUint64(b, uint64(lastAppend))
}

// scan calls yield with the partition's keys of one space from the sequence on.
func scan(db *pebble.DB, space byte, partition int, from uint64, yield func(key, value []byte) error) error {
	it, err := db.NewIter(&pebble.IterOptions{
		LowerBound: appendKey(nil, space, partition, from),
		UpperBound: appendKey(nil, space, partition, 1<<64-1),
	})
	if err != nil {
		return fmt.Errorf("scan: %w", err)
	}
	for ok := it.First(); ok; ok = it.Next() {
		value, err := it.ValueAndErr()
		if err == nil {
			err = yield(it.Key(), value)
		}
		if err != nil {
			return errors.Join(err, it.Close())
		}
	}
	return it.Close()
}
