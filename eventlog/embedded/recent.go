package embedded

// recent holds the values of a partition's newest records, as they are stored, so that a reader at
// the end needs no iterator of Pebble for the few records of a group. It holds records only when
// they are durable.
type recent struct {
	limit int    // bytes
	first uint64 // sequence of the first value
	bytes []byte
	ends  []int // where each value ends in bytes

	fresh     []byte // of the group under way; the committer's, like these two
	freshEnds []int
	skipped   bool // the group is larger than limit
}

// recentBytes is how much all partitions of a log hold together, and maxRecent one of them; the
// group under way is held beside it, within the same bounds.
const (
	recentBytes = 1 << 20
	maxRecent   = 64 << 10
)

// add adds a value of the group under way.
func (r *recent) add(value []byte) {
	if r.skipped = r.skipped || len(r.fresh)+len(value) > r.limit; !r.skipped {
		r.fresh = append(r.fresh, value...)
		r.freshEnds = append(r.freshEnds, len(r.fresh))
	}
}

// publish makes the group readable, whose last record is at last. The values before it go when
// there is no room for both. The partition's mu is held.
func (r *recent) publish(last uint64) {
	if r.skipped || len(r.bytes)+len(r.fresh) > r.limit || len(r.ends) == 0 {
		r.bytes, r.ends = r.bytes[:0], r.ends[:0]
		r.first = last + 1 - uint64(len(r.freshEnds))
	}
	if r.skipped {
		r.fresh, r.freshEnds, r.first = r.fresh[:0], r.freshEnds[:0], last+1
	}
	for _, end := range r.freshEnds {
		r.ends = append(r.ends, len(r.bytes)+end)
	}
	r.bytes = append(r.bytes, r.fresh...)
	r.fresh, r.freshEnds, r.skipped = r.fresh[:0], r.freshEnds[:0], false
}

// value gives the value of the record at sequence, if it is here.
func (r *recent) value(sequence uint64) ([]byte, bool) {
	if sequence < r.first || sequence-r.first >= uint64(len(r.ends)) {
		return nil, false
	}
	i, begin := int(sequence-r.first), 0
	if i > 0 {
		begin = r.ends[i-1]
	}
	return r.bytes[begin:r.ends[i]], true
}
