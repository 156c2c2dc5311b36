package actors

import (
	"encoding/binary"
	"errors"

	"github.com/dashfeed/dashfeed/feed"
	"github.com/dashfeed/dashfeed/messages"
)

func summarise(k messages.Key, r report) feed.Summary {
	s := feed.Summary{Key: k, Epoch: r.epoch, Version: r.version, Time: r.time}
	if r.program != nil {
		def := r.program.Definition()
		s.Title, s.Panels = def.Title, len(def.Panels)
	}
	return s
}

// appendSummary writes what a checkpoint's entry carries for listings: uvarints of epoch, version and panels, a varint of
// the log time, and the title.
func appendSummary(b []byte, s feed.Summary) []byte {
	b = binary.AppendUvarint(b, uint64(s.Epoch))
	b = binary.AppendUvarint(b, s.Version)
	b = binary.AppendUvarint(b, uint64(s.Panels))
	b = binary.AppendVarint(b, s.Time)
	return append(b, s.Title...)
}

func decodeSummary(k messages.Key, b []byte) (feed.Summary, error) {
	s := feed.Summary{Key: k}
	var n [3]uint64
	for i := range n {
		v, size := binary.Uvarint(b)
		if size <= 0 {
			return s, errors.New("summary is cut short")
		}
		n[i], b = v, b[size:]
	}
	t, size := binary.Varint(b)
	if size <= 0 {
		return s, errors.New("summary is cut short")
	}
	s.Epoch, s.Version, s.Panels, s.Time, s.Title = messages.Epoch(n[0]), n[1], int(n[2]), t, string(b[size:])
	return s, nil
}

func bySummaryKey(a, b feed.Summary) int { return a.Key.Compare(b.Key) }
