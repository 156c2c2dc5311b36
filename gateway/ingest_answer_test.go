package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/messages"
)

// TestPlainAnswers: the answer that appendPlain writes equals that of encoding/json, and is written
// only if there is nothing else to tell.
func TestPlainAnswers(t *testing.T) {
	at := func(partition int, hi, lo uint64) eventlog.Receipt {
		return eventlog.Receipt{Partition: partition, Position: messages.Position{Hi: hi, Lo: lo}}
	}
	var many []eventlog.Receipt
	for p := range plainPartitions {
		many = append(many, at(p, 0, uint64(100+p)))
	}
	for name, c := range map[string]struct {
		batch    batch
		receipts []eventlog.Receipt
		plain    bool
	}{
		"one":                   {batch{}, []eventlog.Receipt{at(3, 0, 1842)}, true},
		"of a broker":           {batch{}, []eventlog.Receipt{at(3, 7, 1842)}, true},
		"the last in each":      {batch{}, []eventlog.Receipt{at(3, 0, 1), at(11, 0, 9), at(3, 0, 3), at(2, 0, 1), at(3, 0, 2)}, true},
		"sixteen partitions":    {batch{}, many, true},
		"seventeen":             {batch{}, append(many, at(99, 0, 1)), false},
		"one is not stored":     {batch{}, []eventlog.Receipt{at(3, 0, 1), {Partition: 2}}, false},
		"one is refused":        {batch{refused: 1, listed: []ingestRefusal{{Index: 1}}}, []eventlog.Receipt{at(3, 0, 1)}, false},
		"one comes with a word": {batch{warnings: []ingestWarning{{Kind: warnTimeOld, Count: 1}}}, []eventlog.Receipt{at(3, 0, 1)}, false},
	} {
		got, plain := c.batch.appendPlain(nil, c.receipts)
		want, err := json.Marshal(c.batch.answer(c.receipts))
		if err != nil {
			t.Fatal(err)
		}
		if plain != c.plain || plain && string(got) != string(want)+"\n" {
			t.Errorf("%s: got %s (%v), want %s (%v)", name, got, plain, want, c.plain)
		}
	}
}

// unconfirmed is a log that stops waiting and continues to write: it keeps the entries that it was
// given.
type unconfirmed struct {
	eventlog.Appender
	held []eventlog.Entry
}

func (*unconfirmed) PartitionOf(messages.Key) (int, error) { return 0, nil }

func (l *unconfirmed) Append(_ context.Context, entries []eventlog.Entry) ([]eventlog.Receipt, error) {
	l.held = entries
	return make([]eventlog.Receipt, len(entries)), eventlog.ErrUnreachable
}

// TestGivenUpEntriesAreNotUsedAgain: if the log did not confirm, neither bytes nor entries are used
// for another request while the log may still read them.
func TestGivenUpEntriesAreNotUsedAgain(t *testing.T) {
	l := &unconfirmed{}
	g := newIngest(t, IngestConfig{Log: l})
	for i := range 20 {
		body := fmt.Sprintf(`{"dashboard":"d%d","metric":"m","value":1}`, i)
		before := l.held
		if w := post(g, "/v1/events", form, "", strings.NewReader(body)); w.Code != 503 {
			t.Fatalf("%d %s, want 503", w.Code, w.Body)
		}
		if i == 0 {
			continue
		}
		if want := fmt.Sprintf(`{"dashboard":"d%d","metric":"m","value":1}`, i-1); string(before[0].Payload) != want || before[0].Key.Dashboard != fmt.Sprint("d", i-1) {
			t.Fatalf("the entry given up became %s of %s", before[0].Payload, before[0].Key)
		}
	}
}
