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
	Accepted     int               `json:"accepted"`
	Refused      []ingestRefusal   `json:"refused"` // the first 100
	RefusedCount int               `json:"refusedCount"`
	Positions    map[string]string `json:"positions"` // of the request's last event, by partition
	Warnings     []ingestWarning   `json:"warnings,omitempty"`
	Error        *wire.Error       `json:"error,omitempty"`
}

type ingestRefusal struct {
	Index   int    `json:"index"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
}

// answer tells what was stored by the receipts and what was refused.
func (b *batch) answer(receipts []eventlog.Receipt) ingestAnswer {
	a := ingestAnswer{Refused: b.listed, RefusedCount: b.refused, Positions: map[string]string{}, Warnings: b.warnings}
	if a.Refused == nil {
		a.Refused = []ingestRefusal{} // an empty array
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

// plainPartitions is how many partitions a plain answer names at most.
const plainPartitions = 16

// appendPlain appends the answer that most requests get, as answer has it: all is stored, and
// nothing is to be said. ok is false where the answer is another.
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
		// as encoding/json sorts
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
