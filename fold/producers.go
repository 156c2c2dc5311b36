package fold

import (
	"cmp"
	"encoding/binary"
	"math"
	"slices"
	"strings"

	"github.com/dashfeed/dashfeed/fold/codec"
)

// producer is what was seen of one producer's sequences: ranges above a floor that neither overlap
// nor touch. Sequences up to the floor can no longer be checked, because holes were closed there.
type producer struct {
	name   string
	closed bool // whether there is a floor
	floor  uint64
	ranges []sequences
}

// sequences is a range from first to last, both seen.
type sequences struct{ first, last uint64 }

// judgeSequence judges a sequence and remembers it if it is fresh.
func (s *seen) judgeSequence(name string, sequence uint64) verdict {
	rare := s.getRare()
	at, found := slices.BinarySearchFunc(rare.producers, name, func(p producer, n string) int { return cmp.Compare(p.name, n) })
	if !found {
		if len(rare.producers) == MaxProducers {
			return unchecked
		}
		rare.producers = slices.Insert(rare.producers, at, producer{name: strings.Clone(name)})
	}
	p := &rare.producers[at]
	// Find the range that ends at or after the sequence; nearly always there is none, or it is the
	// last one.
	i := len(p.ranges)
	if i > 0 && sequence <= p.ranges[i-1].last {
		i, _ = slices.BinarySearchFunc(p.ranges, sequence, func(r sequences, q uint64) int { return cmp.Compare(r.last, q) })
	}
	switch {
	case i < len(p.ranges) && p.ranges[i].first <= sequence:
		return duplicate
	case p.closed && sequence <= p.floor:
		return unchecked
	}
	before := len(p.ranges)
	p.insert(i, sequence)
	p.close()
	if rare.ranges += len(p.ranges) - before; rare.ranges > MaxAllRanges && len(p.ranges) > 1 {
		p.closeLowest()
		rare.ranges--
	}
	return fresh
}

// insert puts a sequence before range i and joins it with the ranges it touches.
func (p *producer) insert(i int, sequence uint64) {
	before := i > 0 && p.ranges[i-1].last+1 == sequence
	after := i < len(p.ranges) && p.ranges[i].first-1 == sequence
	switch {
	case before && after:
		p.ranges[i-1].last = p.ranges[i].last
		p.ranges = slices.Delete(p.ranges, i, i+1)
	case before:
		p.ranges[i-1].last = sequence
	case after:
		p.ranges[i].first = sequence
	default:
		p.ranges = slices.Insert(p.ranges, i, sequences{sequence, sequence})
	}
}

// close closes the lowest hole if there are too many ranges. Everything up to the floor counts as
// one range.
func (p *producer) close() {
	n := len(p.ranges)
	apart := p.closed && p.ranges[0].first > p.floor+1
	if apart {
		n++
	}
	if n <= MaxRanges {
		return
	}
	if apart {
		p.floor = p.ranges[0].first - 1
		return
	}
	p.closeLowest()
}

// closeLowest closes the hole behind the first of two or more ranges.
func (p *producer) closeLowest() {
	p.closed, p.floor = true, p.ranges[1].first-1
	p.ranges = slices.Delete(p.ranges, 0, 1)
}

func appendProducers(b []byte, producers []producer) []byte {
	b = binary.AppendUvarint(b, uint64(len(producers)))
	for _, p := range producers {
		b = codec.AppendString(b, p.name)
		b = appendBool(b, p.closed)
		b = binary.AppendUvarint(b, p.floor)
		b = binary.AppendUvarint(b, uint64(len(p.ranges)))
		for _, r := range p.ranges {
			b = binary.AppendUvarint(b, r.first)
			b = binary.AppendUvarint(b, r.last)
		}
	}
	return b
}

func readProducers(r *codec.Reader) []producer {
	const leastBytes, leastRangeBytes = 6, 2
	n := r.Count(leastBytes)
	r.Check(n <= MaxProducers)
	var producers []producer
	for i := 0; i < n && !r.Failed; i++ {
		p := producer{name: r.String(), closed: r.Byte() != 0, floor: r.Uvarint()}
		r.Check(i == 0 || producers[i-1].name < p.name)
		m := r.Count(leastRangeBytes)
		r.Check(m >= 1 && m <= MaxRanges)
		for j := 0; j < m && !r.Failed; j++ {
			s := sequences{r.Uvarint(), r.Uvarint()}
			r.Check(s.first <= s.last && (j == 0 || p.ranges[j-1].last < math.MaxUint64 && p.ranges[j-1].last+1 < s.first))
			p.ranges = append(p.ranges, s)
		}
		producers = append(producers, p)
	}
	return producers
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}
