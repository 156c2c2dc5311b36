package recount

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/dashfeed/dashfeed/client"
	"github.com/dashfeed/dashfeed/fold"
	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/wire"
)

// ElsewhereError says that a reading and the recount are at different versions: one of the two has
// not come as far as the other.
type ElsewhereError struct{ Reading, Recount messages.Place }

func (e *ElsewhereError) Error() string {
	return fmt.Sprintf("the reading is at %s, the recount at %s", e.Reading, e.Recount)
}

// Differs compares a server's whole reading of a dashboard with the recount: epoch and version,
// every cell byte by byte, and the counters. It returns *ElsewhereError if they are at different
// versions.
func (r *Recount) Differs(k messages.Key, reading client.Reading) error {
	d := r.Dashboard(k)
	if d == nil {
		return fmt.Errorf("%s has no record in the log", k)
	}
	epoch, err := messages.ParseEpoch(reading.Epoch)
	if err != nil {
		return err
	}
	here, there := messages.Place{Epoch: d.Epoch(), Version: d.Version()}, messages.Place{Epoch: epoch, Version: reading.Version}
	if here != there {
		return &ElsewhereError{there, here}
	}
	if reading.From != 0 {
		return fmt.Errorf("%s: the reading is not a snapshot, it begins at %d", k, reading.From)
	}
	want, err := cellsOf(k, d)
	if err != nil {
		return err
	}
	got := slices.Clone(reading.Cells)
	slices.SortFunc(got, byNumber)
	if len(got) != len(want) {
		return fmt.Errorf("%s at %s has %d cells, the recount %d", k, here, len(got), len(want))
	}
	for i := range want {
		if !bytes.Equal(got[i], want[i]) {
			return fmt.Errorf("%s at %s has the cell %s, the recount %s", k, here, got[i], want[i])
		}
	}
	counters, err := json.Marshal(d.Counters())
	if err != nil {
		return err
	}
	if !equalJSON(counters, reading.Counters) {
		return fmt.Errorf("%s at %s has the counters %s, the recount %s", k, here, reading.Counters, counters)
	}
	return nil
}

// cellsOf returns all cells as a server writes them, in order of their numbers.
func cellsOf(k messages.Key, d *fold.Dashboard) ([]json.RawMessage, error) {
	whole, err := wire.Project(k, d.Schema(), nil, nil)
	if err != nil {
		return nil, err
	}
	u, _ := d.Since(0)
	var all []json.RawMessage
	if err := json.Unmarshal(wire.AppendCells(nil, whole, &u), &all); err != nil {
		return nil, err
	}
	slices.SortFunc(all, byNumber)
	return all, nil
}

func byNumber(a, b json.RawMessage) int { return cmp.Compare(number(a), number(b)) }

func number(cell json.RawMessage) int {
	digits, _, _ := bytes.Cut(cell[1:], []byte{','})
	n, _ := strconv.Atoi(string(digits))
	return n
}

func equalJSON(a, b []byte) bool {
	var x, y any
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil {
		return false
	}
	canonicalX, _ := json.Marshal(x)
	canonicalY, _ := json.Marshal(y)
	return bytes.Equal(canonicalX, canonicalY)
}
