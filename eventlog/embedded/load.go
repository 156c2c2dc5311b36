package embedded

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/cockroachdb/pebble/v2"

	"github.com/dashfeed/dashfeed/eventlog"
)

// load finds the partitions' ends. It reads the chunks and the records of each partition's newest
// chunk, and no more.
func load(db *pebble.DB, partitions int) (all []*partition, generation uint32, err error) {
	for n := range partitions {
		trimmed, newest, err := loadFloor(db, n)
		if err != nil {
			return nil, 0, fmt.Errorf("partition %d: %w", n, err)
		}
		all = append(all, &partition{
			number: n, grown: make(chan struct{}),
			floor: trimmed + 1, last: trimmed, released: trimmed, newest: newest,
			recent: recent{limit: min(maxRecent, recentBytes/partitions)},
		})
	}
	if generation, err = loadChunks(db, all); err != nil {
		return nil, 0, err
	}
	for _, p := range all {
		if err := p.loadEnd(db); err != nil {
			return nil, 0, fmt.Errorf("partition %d: %w", p.number, err)
		}
	}
	return all, generation, nil
}

// loadChunks skips from generation to generation over the records.
func loadChunks(db *pebble.DB, all []*partition) (generation uint32, err error) {
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: []byte{generationSpace}, UpperBound: []byte{generationSpace + 1}})
	if err != nil {
		return 0, fmt.Errorf("read chunks: %w", err)
	}
	for ok := it.First(); ok; {
		key := it.Key()
		g, kind, n := splitKey(key)
		generation = g
		if kind != chunkKind {
			ok = it.SeekGE(appendKey(nil, g+1, 0, 0, 0))
			continue
		}
		if n >= len(all) {
			return 0, errors.Join(fmt.Errorf("%w: a chunk of partition %d of %d", eventlog.ErrCorrupt, n, len(all)), it.Close())
		}
		value, err := it.ValueAndErr()
		if err != nil {
			return 0, errors.Join(err, it.Close())
		}
		c, err := decodeChunk(key, value)
		if err != nil {
			return 0, errors.Join(fmt.Errorf("partition %d: %w", n, err), it.Close())
		}
		c.generation = g
		all[n].chunks = append(all[n].chunks, c)
		ok = it.Next()
	}
	return generation, it.Close()
}

// loadEnd finds the last record, in the newest chunk. It needs lengths and times only; a corrupt
// record is its reader's error.
func (p *partition) loadEnd(db *pebble.DB) error {
	defer func() { p.tail = tail{last: p.last, written: p.written} }()
	if len(p.chunks) == 0 {
		return nil
	}
	newest := p.chunks[len(p.chunks)-1]
	p.written, p.newest = newest.before, max(p.newest, newest.time)
	it, err := db.NewIter(&pebble.IterOptions{
		LowerBound: appendKey(nil, newest.generation, recordKind, p.number, newest.first),
		UpperBound: appendKey(nil, newest.generation, recordKind, p.number, math.MaxUint64),
	})
	if err != nil {
		return err
	}
	for ok := it.First(); ok; ok = it.Next() {
		value, err := it.ValueAndErr()
		if err != nil {
			return errors.Join(err, it.Close())
		}
		p.last = sequenceOf(it.Key())
		p.written += int64(len(it.Key()) + len(value))
		if checkRecord(it.Key(), value) == nil {
			p.newest = max(p.newest, appendTimeOf(value))
		}
	}
	return it.Close()
}

// loadFloor returns the last trimmed position and the partition's append time then: an empty
// partition has nothing else.
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
