package pulsar

import (
	"fmt"

	"github.com/dashfeed/dashfeed/eventlog/checkpoint"
)

// assembler joins pieces. A writer sends the pieces of a body in a row, and compaction keeps the
// newest message of each key: so the newest body's pieces still follow each other. Between them may
// be pieces of a longer, older body, which the assembler skips.
type assembler struct {
	open bool
	at   address
	next piece // the expected piece
	body []byte
}

// add returns the body that the piece completes, or nil. The body is valid until the next call.
func (s *assembler) add(a address, p piece) ([]byte, error) {
	if a.piece != p.number {
		return nil, fmt.Errorf("%w: piece %d has the key of piece %d", checkpoint.ErrCorrupt, p.number, a.piece)
	}
	if p.of == 1 {
		s.open = false
		return p.bytes, nil
	}
	if p.number == 0 {
		s.open, s.at, s.body = true, a, s.body[:0]
		s.next = piece{sequence: p.sequence, of: p.of}
	}
	if !s.follows(a, p) || len(s.body)+len(p.bytes) > maxPieces*pieceBytes {
		s.open = s.open && !s.sameBody(a, p)
		return nil, nil
	}
	s.body = append(s.body, p.bytes...)
	s.next.number++
	if s.next.number < s.next.of {
		return nil, nil
	}
	s.open = false
	return s.body, nil
}

func (s *assembler) sameBody(a address, p piece) bool {
	return s.at.key == a.key && s.at.marker == a.marker && s.at.slot == a.slot && s.next.sequence == p.sequence
}

func (s *assembler) follows(a address, p piece) bool {
	return s.open && s.sameBody(a, p) && s.next.of == p.of && s.next.number == p.number
}
