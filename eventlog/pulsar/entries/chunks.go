package entries

// The bounds of a chunked message. What makes one must be the same whoever reads it from wherever,
// so the bounds are of the log's own bytes, never of what was read before or how long it took.
const (
	// MaxSpan is how many entries before its last chunk a chunked message may begin, over the ends of
	// ledgers: a broker that starts begins one, and producers go on with the chunks that are left.
	MaxSpan = 1000
	// MaxChunked is how many bytes its chunks have together at most, before they are decompressed.
	MaxChunked = 8 << 20

	maxOpenBytes = 4 * MaxChunked // of chunks that an Assembler holds
)

// Assembler makes whole messages of the chunks in a partition's entries, which may lie between
// those of others.
type Assembler struct {
	begin  int64 // the number of the first entry that it was given
	oldest bool  // the log has none before it

	here spot  // of the last entry that it was given
	base int64 // what numbers the entries of this ledger on from those before

	open  map[string]*open
	bytes int
}

// AssembleFrom begins with that entry; oldest says that the log has none before it.
func AssembleFrom(ledger, entry int64, oldest bool) Assembler {
	return Assembler{begin: entry, oldest: oldest, here: spot{ledger, entry}}
}

// open is a chunked message, the last chunk of which has not come.
type open struct {
	first   int64 // the number of its first entry
	next    int32
	payload []byte
	large   bool
	dropped bool // its bytes were, for want of room: its last chunk has them looked up
}

// State is what a chunk is.
type State int

// The states of a chunk.
const (
	Part    State = iota // of a message that does not end here
	Whole                // the last one: the entry holds the message, or is refused
	Unknown              // the last one of a message whose others were not given, or not kept
)

// See takes note of an entry, a chunk or not. It must be given each, in order: the last one before
// the end of a ledger tells how far a chunk behind it is from one before it.
func (a *Assembler) See(e *Entry) {
	if e.Ledger != a.here.ledger {
		a.base += a.here.entry + 1
	}
	a.here = e.spot()
}

// number counts the entry from the beginning of the ledger that the first one lies in.
func (a *Assembler) number(e *Entry) int64 { return a.base + e.Entry }

// Take takes a chunk that See was given last. Where it is the last one of a message that is known,
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
		o = &open{first: a.number(e)}
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
	case a.number(e)-o.first > MaxSpan:
		return a.headless(e)
	}
	if e.payload = o.payload; o.large {
		e.Refuse(TooLarge)
	}
	return Whole
}

// headless is the last chunk of a message, the others of which did not come.
func (a *Assembler) headless(e *Entry) State {
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

// Refuse says that the entry is no message, for that reason.
func (e *Entry) Refuse(why string) { e.refused, e.payload = why, nil }

// forget makes room for a message that begins at the entry.
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
