package fold

import (
	"encoding/binary"
	"runtime"

	"github.com/zeebo/xxh3"

	"github.com/dashfeed/dashfeed/fold/codec"
	"github.com/dashfeed/dashfeed/messages"
)

// epochOf names the history that begins at those positions behind the epoch before: computed, never
// drawn, so that every owner finds the same. The epoch before is part of it: of two who lost
// different records of one log, both read the next definition, and what they hold stays different.
// The architecture is part of it as it is of the format: two machines that might round otherwise
// never share an epoch. 0 is kept for dashboards without a record.
func epochOf(region string, k messages.Key, before messages.Epoch, at ...messages.Position) messages.Epoch {
	b := codec.AppendString(nil, region)
	b = codec.AppendString(b, k.Tenant)
	b = codec.AppendString(b, k.Dashboard)
	b = codec.AppendString(append(b, Format), runtime.GOARCH)
	b = binary.AppendUvarint(b, uint64(before))
	for _, p := range at {
		b = p.Append(b)
	}
	return max(1, messages.Epoch(xxh3.Hash(b)))
}
