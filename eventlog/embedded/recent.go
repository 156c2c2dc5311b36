package embedded

// recent keeps the stored values of a partition's newest records in memory, so that a reader at the
// end needs no Pebble iterator for the few records of a group. It returns durable records only.
type recent struct {
	limit int    // in bytes
	first uint64 // sequence of the first value
	bytes []byte
	ends  []int // end of each value in bytes

	// values of the group that is being written; only the committer uses it and the next two
	fresh     []byte
	freshEnds []int
	skipped   bool // the group is larger than limit
}

// recentBytes bounds what all partitions of a log keep together, and maxRecent what one keeps; the
// group that is being written is kept beside it, within the same bounds.
const (
	recentBytes = 1 << 20
	maxRecent   = 64 << 10
)

// add adds a value of the group that is being written.
func (r *recent) add(value []byte) {
	if r.skipped = r.skipped || len(r.fresh)+len(value) > r.limit; !r.skipped {
		r.fresh = append(r.fresh, value...)
		r.freshEnds = append(r.freshEnds, len(r.fresh))
	}
}

// publish makes the group, whose last record is at last, readable. It drops the older values if
// there is no room for both. The caller holds the partition's mu.
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

// value returns the value of the record at sequence, if it is in memory.
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
