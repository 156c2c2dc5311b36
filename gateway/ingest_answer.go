package gateway

import (
	"slices"
	"strconv"
	"strings"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/wire"
)

// ingestAnswer is the body of an answer.
type ingestAnswer struct {
	Accepted     int             `json:"accepted"`
	Refused      []ingestRefusal `json:"refused"` // the first 100
	RefusedCount int             `json:"refusedCount"`
	// position of the request's last event in each partition
	Positions map[string]string `json:"positions"`
	Warnings  []ingestWarning   `json:"warnings,omitempty"`
	Error     *wire.Error       `json:"error,omitempty"`
}

type ingestRefusal struct {
	Index   int    `json:"index"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
}

// answer returns what was stored, according to the receipts, and what was refused.
func (b *batch) answer(receipts []eventlog.Receipt) ingestAnswer {
	a := ingestAnswer{Refused: b.listed, RefusedCount: b.refused, Positions: map[string]string{}, Warnings: b.warnings}
	if a.Refused == nil {
		a.Refused = []ingestRefusal{} // an empty array in JSON
	}
	newest := map[int]messages.Position{}
	for _, r := range receipts {
		if r.Position.IsZero() {
			continue
		}
		a.Accepted++
		if r.Position.After(newest[r.Partition]) {
			newest[r.Partition] = r.Position
		}
	}
	for partition, position := range newest {
		a.Positions[strconv.Itoa(partition)] = position.String()
	}
	return a
}

// plainPartitions is the most partitions that a plain answer names.
const plainPartitions = 16

// appendPlain appends the most frequent answer, in the form of answer: all events are stored, and
// there is nothing else to tell. ok is false if the answer is another.
func (b *batch) appendPlain(out []byte, receipts []eventlog.Receipt) (_ []byte, ok bool) {
	if b.refused > 0 || len(b.warnings) > 0 {
		return out, false
	}
	newest := make([]eventlog.Receipt, 0, plainPartitions)
	for _, r := range receipts {
		i := slices.IndexFunc(newest, func(o eventlog.Receipt) bool { return o.Partition == r.Partition })
		switch {
		case r.Position.IsZero(), i < 0 && len(newest) == plainPartitions:
			return out, false
		case i < 0:
			newest = append(newest, r)
		case r.Position.After(newest[i].Position):
			newest[i] = r
		}
	}
	slices.SortFunc(newest, func(a, b eventlog.Receipt) int {
		// in the order of encoding/json
		return strings.Compare(strconv.Itoa(a.Partition), strconv.Itoa(b.Partition))
	})
	out = append(out, `{"accepted":`...)
	out = strconv.AppendInt(out, int64(len(receipts)), 10)
	out = append(out, `,"refused":[],"refusedCount":0,"positions":{`...)
	for i, r := range newest {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, '"')
		out = strconv.AppendInt(out, int64(r.Partition), 10)
		out = append(out, `":"`...)
		out = append(out, r.Position.String()...)
		out = append(out, '"')
	}
	return append(out, "}}\n"...), true
}
