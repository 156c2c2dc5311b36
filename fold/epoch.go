package fold

import (
	"encoding/binary"
	"runtime"

	"github.com/zeebo/xxh3"

	"github.com/dashfeed/dashfeed/fold/codec"
	"github.com/dashfeed/dashfeed/messages"
)

// epochOf names the history that begins at those positions after the previous epoch. The name is
// computed, not random, so that every owner computes the same one. It includes the previous epoch:
// if two nodes lost different records of one log and both read the next definition, their states
// stay in different epochs. It includes the architecture, as the format does: two machines that
// might round differently never share an epoch. 0 is reserved for dashboards without a record.
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
