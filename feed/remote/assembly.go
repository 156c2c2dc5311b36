package remote

import (
	"errors"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/dashfeed/dashfeed/feed/remote/envelope"
)

// assembly puts payloads together from their parts, in whatever order they come. An owner sends one payload at a time, so
// two are open at most, for parts that overtake; together they hold at most MaxPayloadBytes. A payload that lacks a part is
// given up when others come, and what it said is asked for again.
type assembly struct {
	newest uint64 // number that was begun last
	open   []*partial
}

// mostOpen is how many payloads wait for parts.
const mostOpen = 2

// partial is a payload that lacks parts.
type partial struct {
	number uint64
	parts  [][]byte // by index; nil: not here yet
	have   int
	whole  int // how many there are; 0: not known yet
	bytes  int
}

var errAssembly = errors.New("parts of a payload are larger together than any may be")

// take takes a part in, nil for none, and gives the payload when it was the last one to come.
func (a *assembly) take(p *envelope.Part) (*envelope.Payload, error) {
	if p == nil {
		return nil, nil
	}
	o := a.find(p.GetNumber())
	if o == nil {
		return nil, nil // it is finished, or was given up
	}
	const mostParts = MaxPayloadBytes/roomBytes + 1
	if int(p.GetIndex()) >= mostParts || o.bytes+len(p.GetBytes()) > MaxPayloadBytes {
		a.drop(o)
		return nil, errAssembly
	}
	o.put(p)
	for len(a.open) > 1 && a.bytes() > MaxPayloadBytes {
		a.drop(a.open[0])
	}
	if o.whole == 0 || o.have < o.whole {
		return nil, nil
	}
	a.drop(o)
	whole := &envelope.Payload{}
	return whole, proto.Unmarshal(slices.Concat(o.parts[:o.whole]...), whole)
}

// find is the payload of the number, begun where it is a new one.
func (a *assembly) find(number uint64) *partial {
	for _, o := range a.open {
		if o.number == number {
			return o
		}
	}
	if number <= a.newest {
		return nil
	}
	a.newest = number
	if len(a.open) == mostOpen {
		a.drop(a.open[0])
	}
	o := &partial{number: number}
	a.open = append(a.open, o)
	return o
}

func (a *assembly) drop(o *partial) {
	a.open = slices.DeleteFunc(a.open, func(other *partial) bool { return other == o })
}

func (a *assembly) bytes() (n int) {
	for _, o := range a.open {
		n += o.bytes
	}
	return n
}

func (o *partial) put(p *envelope.Part) {
	i := int(p.GetIndex())
	for len(o.parts) <= i {
		o.parts = append(o.parts, nil)
	}
	if !p.GetMore() {
		o.whole = i + 1
	}
	if o.parts[i] == nil && len(p.GetBytes()) > 0 {
		o.parts[i] = p.GetBytes()
		o.have++
		o.bytes += len(p.GetBytes())
	}
}
