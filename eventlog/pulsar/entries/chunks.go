package entries

// The bounds of a chunked message. What makes one must be the same whoever reads it from wherever, so the bounds are of the log's own
// bytes, never of what was read before or how long it took.
const (
	// MaxSpan is how many entries before its last chunk, in the same ledger, a chunked message may begin.
	MaxSpan = 1000
	// MaxChunked is how many bytes its chunks have together at most, before they are decompressed.
	MaxChunked = 8 << 20

	maxOpenBytes = 4 * MaxChunked // of chunks that an Assembler holds
)

// Assembler makes whole messages of the chunks in a partition's entries, which may lie between those of others.
type Assembler struct {
	open  map[string]*open
	bytes int
}

// open is a chunked message, the last chunk of which has not come.
type open struct {
	ledger, first int64
	next          int32
	payload       []byte
	large         bool
	dropped       bool // its bytes were, for want of room: its last chunk has them looked up
}

// State is what a chunk is.
type State int

// The states of a chunk.
const (
	Part     State = iota // of a message that does not end here
	Whole                 // the last one: the entry holds the message
	Headless              // the last one of a message whose others are not known
)

// Take takes a chunk, in the order of entries. Where it is the last one of a message that is known, the entry gets all its bytes.
func (a *Assembler) Take(e *Entry) State {
	if e.encrypted || e.refused != "" {
		if e.lastChunk() || e.refused != "" {
			return Whole
		}
		return Part
	}
	o := a.open[e.uuid]
	switch {
	case e.chunk == 0:
		a.forget(e)
		o = &open{ledger: e.Ledger, first: e.Entry}
		a.open[e.uuid] = o
	case o == nil, e.chunk < o.next: // one that came twice
		if e.lastChunk() && o == nil {
			return Headless
		}
		return Part
	case e.chunk != o.next:
		a.drop(e.uuid)
		if e.lastChunk() {
			return Headless
		}
		return Part
	}
	o.next++
	if !o.dropped && !o.large {
		o.payload = append(o.payload, e.payload...)
		a.bytes += len(e.payload)
		if o.large = len(o.payload) > MaxChunked; o.large {
			a.bytes -= len(o.payload)
			o.payload = nil
		}
	}
	if !e.lastChunk() {
		return Part
	}
	a.drop(e.uuid)
	if o.dropped || o.ledger != e.Ledger || e.Entry-o.first > MaxSpan {
		return Headless
	}
	if e.payload = o.payload; o.large {
		e.Refuse(TooLarge)
	}
	return Whole
}

// Refuse says that the entry is no message, for that reason.
func (e *Entry) Refuse(why string) { e.refused, e.payload = why, nil }

// forget makes room for a message that begins at the entry.
func (a *Assembler) forget(e *Entry) {
	if a.open == nil {
		a.open = map[string]*open{}
	}
	a.drop(e.uuid)
	for uuid, o := range a.open {
		if o.ledger != e.Ledger || e.Entry-o.first > MaxSpan {
			a.drop(uuid)
		}
	}
	if a.bytes > maxOpenBytes {
		for _, o := range a.open {
			o.payload, o.dropped = nil, true
		}
		a.bytes = 0
	}
}

func (a *Assembler) drop(uuid string) {
	if o := a.open[uuid]; o != nil {
		a.bytes -= len(o.payload)
		delete(a.open, uuid)
	}
}
