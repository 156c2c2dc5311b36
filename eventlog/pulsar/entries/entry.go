package entries

import (
	"encoding/binary"
	"hash/crc32"
)

const (
	magicBroker   = 0x0e02
	magicChecksum = 0x0e01
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Entry is one entry of a partition: a message, a batch of them, or a chunk of one.
type Entry struct {
	Ledger, Entry int64

	Index  *uint64 // the broker's number of the entry's last message; nil: the broker gave none
	Broker int64   // when the broker stored it, ms; 0: the broker did not say

	Producer    string
	PublishTime int64 // the producer's clock, ms

	batched bool
	batch   int32
	single  single // the fields of a message that is not in a batch

	encrypted    bool
	compression  uint64
	uncompressed uint64
	uuid         string
	chunks       int32
	chunk        int32

	payload []byte
	refused string // why the entry holds no message; "": it may hold one
}

// single holds the metadata of one message: of an entry that is no batch, or of one message in a
// batch.
type single struct {
	key        string
	properties map[string]string
	eventTime  int64
	null       bool
	size       int32
}

// Count returns how many messages the broker counts the entry as.
func (e *Entry) Count() int64 {
	if !e.batched {
		return 1
	}
	return max(1, int64(e.batch))
}

// FirstIndex returns the broker's number of the entry's first message. Index must not be nil.
func (e *Entry) FirstIndex() uint64 { return *e.Index - uint64(e.Count()-1) }

// Chunked reports whether the entry is a part of a chunked message.
func (e *Entry) Chunked() bool { return e.chunks > 1 }

func (e *Entry) lastChunk() bool { return e.chunk == e.chunks-1 }

// readEntry decodes an entry. An entry that it can't decode is corrupt, but its place is always
// known.
func readEntry(f frame) (*Entry, error) {
	e := &Entry{Ledger: -1}
	err := fields(f.body, func(x field) error {
		if x.number != 2 {
			return nil
		}
		return fields(x.b, func(x field) error {
			switch x.number {
			case 1:
				e.Ledger = int64(x.n)
			case 2:
				e.Entry = int64(x.n)
			}
			return nil
		})
	})
	if err != nil || e.Ledger < 0 || e.Entry < 0 {
		return nil, errProto
	}
	if e.read(f.rest) != nil {
		e.refused = Corrupt
	}
	return e, nil
}

// read decodes [0x0e02 size metadata] 0x0e01 checksum size metadata payload.
func (e *Entry) read(b []byte) error {
	cut := func(n uint64) []byte {
		if uint64(len(b)) < n {
			b = nil
			return nil
		}
		front := b[:n]
		b = b[n:]
		return front
	}
	if len(b) >= 6 && binary.BigEndian.Uint16(b) == magicBroker {
		size := uint64(binary.BigEndian.Uint32(b[2:]))
		cut(6)
		err := fields(cut(size), func(f field) error {
			switch f.number {
			case 1:
				e.Broker = int64(f.n)
			case 2:
				e.Index = &f.n
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	if len(b) < 10 || binary.BigEndian.Uint16(b) != magicChecksum || crc32.Checksum(b[6:], castagnoli) != binary.BigEndian.Uint32(b[2:]) {
		return errProto
	}
	size := uint64(binary.BigEndian.Uint32(b[6:]))
	cut(10)
	if uint64(len(b)) < size {
		return errProto
	}
	err := fields(cut(size), e.metadata)
	e.payload = b
	return err
}

// metadata decodes a field of a MessageMetadata.
func (e *Entry) metadata(f field) error {
	switch f.number {
	case 1:
		e.Producer = f.text()
	case 3:
		e.PublishTime = int64(f.n)
	case 4:
		return e.single.property(f.b)
	case 6:
		e.single.key = f.own()
	case 8:
		e.compression = f.n
	case 9:
		e.uncompressed = f.n
	case 11:
		e.batched, e.batch = true, int32(f.n)
	case 12:
		e.single.eventTime = int64(f.n)
	case 13:
		e.encrypted = true
	case 25:
		e.single.null = f.n != 0
	case 26:
		e.uuid = f.text()
	case 27:
		e.chunks = int32(f.n)
	case 29:
		e.chunk = int32(f.n)
	}
	return nil
}

// of decodes a field of a SingleMessageMetadata.
func (s *single) of(f field) error {
	switch f.number {
	case 1:
		return s.property(f.b)
	case 2:
		s.key = f.own()
	case 3:
		s.size = int32(f.n)
	case 5:
		s.eventTime = int64(f.n)
	case 9:
		s.null = f.n != 0
	}
	return nil
}

func (s *single) property(b []byte) error {
	var key, value string
	err := fields(b, func(f field) error {
		switch f.number {
		case 1:
			key = f.text()
		case 2:
			value = f.text()
		}
		return nil
	})
	if s.properties == nil {
		s.properties = map[string]string{}
	}
	s.properties[key] = value
	return err
}

// SameMessage reports whether both entries are chunks of one message.
func (e *Entry) SameMessage(o *Entry) bool { return e.Chunked() && o.Chunked() && e.uuid == o.uuid }
