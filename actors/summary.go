package actors

import (
	"encoding/binary"
	"errors"

	"github.com/dashfeed/dashfeed/feed"
	"github.com/dashfeed/dashfeed/messages"
)

// mostWaits is the most log times that the windows of one dashboard wait for. If they end at more
// different times, some wait for a later window's end.
const mostWaits = 64

func summarise(k messages.Key, r report) feed.Summary {
	s := feed.Summary{Key: k, Epoch: r.epoch, Version: r.version, Time: r.time}
	if r.program != nil {
		def := r.program.Definition()
		s.Title, s.Panels, s.Scoped = def.Title, len(def.Panels), len(def.Scope) > 0
	}
	return s
}

// appendSummary encodes the part of a checkpoint's entry that serves listings and the shard:
// uvarints of epoch, version, and of panels doubled, plus 1 with a scope; a varint of the log time;
// the log times that windows wait for (their number as a uvarint, then varints of the differences);
// and the title.
func appendSummary(b []byte, s feed.Summary, waits []int64) []byte {
	b = binary.AppendUvarint(b, uint64(s.Epoch))
	b = binary.AppendUvarint(b, s.Version)
	panels := uint64(s.Panels) << 1
	if s.Scoped {
		panels |= 1
	}
	b = binary.AppendUvarint(b, panels)
	b = binary.AppendVarint(b, s.Time)
	b = binary.AppendUvarint(b, uint64(len(waits)))
	last := int64(0)
	for _, at := range waits {
		b, last = binary.AppendVarint(b, at-last), at
	}
	return append(b, s.Title...)
}

func decodeSummary(k messages.Key, b []byte) (s feed.Summary, waits []int64, err error) {
	s.Key = k
	left, cut := b, false
	uvarint := func() uint64 {
		v, size := binary.Uvarint(left)
		cut = cut || size <= 0
		left = left[max(size, 0):]
		return v
	}
	varint := func() int64 {
		v, size := binary.Varint(left)
		cut = cut || size <= 0
		left = left[max(size, 0):]
		return v
	}
	epoch, version, panels, time := uvarint(), uvarint(), uvarint(), varint()
	at := int64(0)
	for range min(uvarint(), mostWaits) {
		at += varint()
		waits = append(waits, at)
	}
	if cut {
		return s, nil, errors.New("summary is cut short")
	}
	s.Epoch, s.Version, s.Time, s.Title = messages.Epoch(epoch), version, time, string(left)
	s.Panels, s.Scoped = int(panels>>1), panels&1 == 1
	return s, waits, nil
}

func bySummaryKey(a, b feed.Summary) int { return a.Key.Compare(b.Key) }
