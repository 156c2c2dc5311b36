package entries

// The bounds of a chunked message. What makes one must be the same whoever reads it from wherever,
// so the bounds are of the log's own bytes, never of what was read before or how long it took.
const (
	// MaxSpan is how many entries before its last chunk, in the same ledger, a chunked message may
	// begin.
	MaxSpan = 1000
	// MaxChunked is how many bytes its chunks have together at most, before they are decompressed.
	MaxChunked = 8 << 20

	maxOpenBytes = 4 * MaxChunked // of chunks that an Assembler holds
)

// Assembler makes whole messages of the chunks in a partition's entries, which may lie between
// those of others.
type Assembler struct {
	Ledger, Entry int64 // the first one of which it is given all that is a chunk

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
	Part    State = iota // of a message that does not end here
	Whole                // the last one: the entry holds the message, or is refused
	Unknown              // the last one of a message whose others were not given, or not kept
)

// Take takes a chunk, in the order of entries. Where it is the last one of a message that is known,
// the entry gets all its bytes.
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
			return a.headless(e)
		}
		return Part
	case e.chunk != o.next:
		a.drop(e.uuid)
		if e.lastChunk() {
			return a.headless(e)
		}
		return Part
	}
	a.add(o, e)
	if !e.lastChunk() {
		return Part
	}
	a.drop(e.uuid)
	switch {
	case o.dropped:
		return Unknown
	case o.ledger != e.Ledger || e.Entry-o.first > MaxSpan:
		return a.headless(e)
	}
	if e.payload = o.payload; o.large {
		e.Refuse(TooLarge)
	}
	return Whole
}

// headless is the last chunk of a message, the others of which did not come.
func (a *Assembler) headless(e *Entry) State {
	if e.Ledger == a.Ledger && a.Entry > max(0, e.Entry-MaxSpan) {
		return Unknown
	}
	e.Refuse(Incomplete)
	return Whole
}

func (a *Assembler) add(o *open, e *Entry) {
	o.next++
	if o.dropped || o.large {
		return
	}
	o.payload = append(o.payload, e.payload...)
	a.bytes += len(e.payload)
	if o.large = len(o.payload) > MaxChunked; o.large {
		a.bytes -= len(o.payload)
		o.payload = nil
	}
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
