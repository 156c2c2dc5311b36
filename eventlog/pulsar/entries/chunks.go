package entries

// The bounds of a chunked message. Every reader must assemble the same messages, wherever it begins
// to read. So the bounds count entries and bytes of the log, never what was read before or how long
// it took.
const (
	// MaxSpan is the greatest number of entries from a chunked message's first chunk to its last,
	// counted across the ends of ledgers. A broker that starts begins a new ledger, and producers
	// continue there with the remaining chunks.
	MaxSpan = 1000
	// MaxChunked is the greatest total size of a message's chunks in bytes, before decompression.
	MaxChunked = 8 << 20

	maxOpenBytes = 4 * MaxChunked // bytes of chunks that an Assembler holds
)

// Assembler assembles whole messages from the chunks in a partition's entries. Chunks of several
// messages may interleave.
type Assembler struct {
	begin  int64 // the number of the first entry that See was given
	oldest bool  // the log has no entry before the first one

	here spot  // the last entry that See was given
	base int64 // what to add to an entry's number in its ledger, so that numbers continue over ledgers

	open  map[string]*open
	bytes int
}

// AssembleFrom returns an Assembler that begins with that entry; oldest says that the log has none
// before it.
func AssembleFrom(ledger, entry int64, oldest bool) Assembler {
	return Assembler{begin: entry, oldest: oldest, here: spot{ledger, entry}}
}

// open is a chunked message whose last chunk has not come yet.
type open struct {
	first   int64 // the number of its first entry
	next    int32
	payload []byte
	large   bool
	dropped bool // its bytes were dropped to bound the memory; the last chunk has them read again
}

// State says what a chunk means for its message.
type State int

// The states of a chunk.
const (
	Part    State = iota // the message does not end with this chunk
	Whole                // the last chunk: the entry holds the message, or is refused
	Unknown              // the last chunk of a message whose other chunks were not given, or not kept
)

// See takes note of an entry, whether it is a chunk or not. Call it with every entry, in order: the
// last entry of a ledger tells how far apart two chunks on both sides of its end are.
func (a *Assembler) See(e *Entry) {
	if e.Ledger != a.here.ledger {
		a.base += a.here.entry + 1
	}
	a.here = e.spot()
}

// number returns the entry's number, counted from the beginning of the ledger of the first entry.
func (a *Assembler) number(e *Entry) int64 { return a.base + e.Entry }

// Take takes the chunk that See was given last. If it is the last chunk of a message whose chunks
// are all known, Take puts the bytes of the whole message into the entry.
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
		o = &open{first: a.number(e)}
		a.open[e.uuid] = o
	case o == nil, e.chunk < o.next: // the chunk came twice
		if e.lastChunk() && o == nil {
			return a.withoutHead(e)
		}
		return Part
	case e.chunk != o.next:
		a.drop(e.uuid)
		if e.lastChunk() {
			return a.withoutHead(e)
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
	case a.number(e)-o.first > MaxSpan:
		return a.withoutHead(e)
	}
	if e.payload = o.payload; o.large {
		e.Refuse(TooLarge)
	}
	return Whole
}

// withoutHead returns the state of a last chunk whose other chunks did not come.
func (a *Assembler) withoutHead(e *Entry) State {
	if !a.oldest && a.number(e)-a.begin < MaxSpan {
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

// Refuse marks the entry as one that holds no message; why is the reason.
func (e *Entry) Refuse(why string) { e.refused, e.payload = why, nil }

// forget drops the messages that began too long ago, to make room for one that begins at the entry.
func (a *Assembler) forget(e *Entry) {
	if a.open == nil {
		a.open = map[string]*open{}
	}
	a.drop(e.uuid)
	for uuid, o := range a.open {
		if a.number(e)-o.first > MaxSpan {
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
