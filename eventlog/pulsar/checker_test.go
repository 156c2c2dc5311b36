package pulsar

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/eventlog/pulsar/entries"
	"github.com/dashfeed/dashfeed/messages"
)

// kept stands for a broker: it returns the entries that it has, ledger.entry:index, in order. At
// "trim:L" it drops all ledgers below L, and at "cut" and "cut:L" it cuts connections once.
type kept struct {
	words []string
	done  map[int]bool
	floor int64
	opens int
}

func (k *kept) enter(_ context.Context, ledger, entry int64) (entrance, error) {
	k.opens++
	return &keptReader{k: k, ledger: ledger, entry: entry}, nil
}

type keptReader struct {
	k             *kept
	ledger, entry int64 // the first entry that it returns
	next          int
}

func (r *keptReader) Close() {}

func (r *keptReader) Next(ctx context.Context) (*entries.Entry, error) {
	for r.next < len(r.k.words) {
		n := r.next
		r.next++
		e, ok := entryOf(r.k.words[n])
		switch {
		case !ok && r.k.done[n]:
		case !ok:
			r.k.done[n] = true
			what, ledger, _ := strings.Cut(r.k.words[n], ":")
			_, _ = fmt.Sscan(ledger, &r.k.floor)
			if what == "cut" {
				return nil, errors.New("it broke off")
			}
		case e.Ledger < r.k.floor, e.Ledger < r.ledger, e.Ledger == r.ledger && e.Entry < r.entry:
		default:
			return e, nil
		}
	}
	<-ctx.Done()
	return nil, context.Cause(ctx)
}

func entryOf(word string) (*entries.Entry, bool) {
	e := &entries.Entry{}
	var index uint64
	n, _ := fmt.Sscanf(word, "%d.%d:%d", &e.Ledger, &e.Entry, &index)
	if n == 3 {
		e.Index = &index
	}
	return e, n >= 2
}

// The checker returns the right messages or error for what a broker sends, and asks again only when
// it must.
func TestChecker(t *testing.T) {
	for _, x := range []struct {
		what  string
		after string // ledger.entry; "": the beginning
		given string
		want  string // what is returned, then the error
		opens int
	}{
		{"in order", "", "1.0:0 1.1:1 1.2:2", "1.0 1.1 1.2", 1},
		{"after a position", "1.1", "1.0:0 1.1:1 1.2:2", "1.2", 1},
		{"after a position, the number of which need not be its place", "1.3", "1.3:103 1.4:104", "1.4", 1},
		{"from ledger to ledger", "", "1.0:0 2.0:1 5.0:2", "1.0 2.0 5.0", 1},
		{"the oldest is gone", "", "2.0:5 2.1:6", "position trimmed", 1},
		{"the oldest is gone, and so is what its ledger begins with", "", "2.2:7 2.3:8", "position trimmed", 1},
		{"markers at the beginning", "", "1.2:2 1.3:3", "1.2 1.3", 1},
		{"markers between", "", "1.0:0 1.2:2 1.3:3", "1.0 1.2 1.3", 1},
		{"an aborted batch between", "", "1.0:0 1.3:50", "1.0 1.3", 1},
		{"markers at a ledger's end", "", "1.0:0 2.0:2 2.1:3", "1.0 2.0 2.1", 2},
		{"numbers that are not true", "", "1.0:0 1.1:999 1.2:5 1.3:5 2.0:3", "1.0 1.1 1.2 1.3 2.0", 2},
		{"the position's own is gone", "1.3", "1.5:5", "position trimmed", 1},
		{"the position's ledger is gone", "1.3", "2.0:5", "position trimmed", 1},
		{"ledgers go while it reads", "", "1.0:0 trim:7 7.0:7 7.1:8", "1.0 position trimmed", 2},
		{"made anew while it reads", "", "1.0:0 1.1:1 trim:7 7.0:0", "1.0 1.1 position trimmed", 2},
		{"broken off", "", "1.0:0 1.1:1 cut 1.2:2", "1.0 1.1 1.2", 2},
		{"broken off before the first", "", "cut 1.0:0", "1.0", 2},
		{"broken off behind a position", "1.0", "1.0:0 cut 1.1:1", "1.1", 2},
		{"broken off, and ledgers go", "", "1.0:0 cut:3 3.0:1", "1.0 position trimmed", 2},
		{"ticks: no number", "", "1.0 1.1 1.2", "1.0 1.1 1.2", 1},
		{"ticks: after a position", "1.1", "1.0 1.1 1.2", "1.2", 1},
		{"ticks: the position's own is gone", "1.3", "1.5 1.6", "position trimmed", 1},
		{"ticks: from ledger to ledger", "", "1.0 2.0 2.1", "1.0 2.0 2.1", 2},
		{"ticks: ledgers go while it reads", "", "1.0 trim:2 3.0", "1.0 position trimmed", 2},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			l := &Log{config: Default("", ""), logger: slog.New(slog.DiscardHandler), metrics: newMetrics(nil)}
			p := &partition{tenant: &tenant{Tenant: Tenant{LogTime: BrokerTime}}}
			if strings.HasPrefix(x.what, "ticks") {
				p.tenant.LogTime = TickTime
			}
			var after messages.Position
			if e, ok := entryOf(x.after); ok {
				after = place{ledger: e.Ledger, entry: e.Entry}.last()
			}
			broker := &kept{words: strings.Fields(x.given), done: map[int]bool{}}
			c := newChecker(l, p, after)
			c.enter = broker.enter
			defer c.close()
			var got []string
			for {
				all, err := c.next(ctx)
				for _, m := range all {
					got = append(got, fmt.Sprintf("%d.%d", m.entry.Ledger, m.entry.Entry))
				}
				if err != nil {
					if errors.Is(err, eventlog.ErrTrimmed) {
						got = append(got, eventlog.ErrTrimmed.Error())
					}
					break
				}
			}
			if strings.Join(got, " ") != x.want || broker.opens != x.opens {
				t.Errorf("%s: got %q, opened %d times; want %q, %d", x.what, got, broker.opens, x.want, x.opens)
			}
		})
	}
}
