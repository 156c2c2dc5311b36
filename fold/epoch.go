package fold

import (
	"runtime"

	"github.com/zeebo/xxh3"

	"github.com/dashfeed/dashfeed/fold/codec"
	"github.com/dashfeed/dashfeed/messages"
)

// epochOf names the history that begins with the record at that position: computed, never drawn, so that every owner
// finds the same. The architecture is part of it as it is of the format: two machines that might round otherwise never
// share an epoch. 0 is kept for dashboards without a record.
func epochOf(region string, k messages.Key, p messages.Position) messages.Epoch {
	b := codec.AppendString(nil, region)
	b = codec.AppendString(b, k.Tenant)
	b = codec.AppendString(b, k.Dashboard)
	b = codec.AppendString(append(b, Format), runtime.GOARCH)
	return max(1, messages.Epoch(xxh3.Hash(p.Append(b))))
}
