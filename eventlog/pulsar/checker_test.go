package pulsar

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apache/pulsar-client-go/pulsar"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/eventlog/pulsar/entries"
	"github.com/dashfeed/dashfeed/messages"
)

// script stands for Pulsar's Reader: it gives what it is told, then waits.
type script struct {
	pulsar.Reader
	left []pulsar.Message
}

func (s *script) Next(ctx context.Context) (pulsar.Message, error) {
	if len(s.left) == 0 {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	m := s.left[0]
	s.left = s.left[1:]
	return m, nil
}

func (s *script) Close() {}

// stored stands for the broker's entries of ledger 1.
type stored struct{ left []*entries.Entry }

func store(t *testing.T, text string, from int64) *stored {
	t.Helper()
	s := &stored{}
	text = regexp.MustCompile(`\d+:m`).ReplaceAllString(text, "")
	for _, m := range read(t, text).left {
		if w := m.(*written); w.entry >= from {
			s.left = append(s.left, &entries.Entry{Ledger: 1, Entry: w.entry, Index: w.index})
		}
	}
	return s
}

func (s *stored) Next(ctx context.Context) (*entries.Entry, error) {
	if len(s.left) == 0 {
		<-ctx.Done()
		return nil, context.Cause(ctx)
	}
	e := s.left[0]
	s.left = s.left[1:]
	return e, nil
}

func (s *stored) Close() {}

// written is a message in a script: entry:index, or entry:- where the broker gave no index.
type written struct {
	pulsar.Message
	entry int64
	index *uint64
}

func (w *written) ID() pulsar.MessageID { return pulsar.NewMessageID(1, w.entry, 0, 0) }
func (w *written) Index() *uint64       { return w.index }

func read(t *testing.T, text string) *script {
	t.Helper()
	s := &script{}
	for word := range strings.FieldsSeq(text) {
		w := &written{}
		var index uint64
		if _, err := fmt.Sscanf(word, "%d:%d", &w.entry, &index); err == nil {
			w.index = &index
		}
		s.left = append(s.left, w)
	}
	return s
}

// What the checker makes of what a Reader gives, and of what a look at the entries finds where that does not follow.
func TestChecker(t *testing.T) {
	for _, x := range []struct {
		what          string
		after         int64 // entry; -1: the beginning
		given, stored string
		want          string // entries given, then the error
		looks         int
	}{
		{"in order", -1, "0:0 1:1 2:2", "", "0 1 2", 0},
		{"twice", -1, "0:0 1:1 0:0 1:1 2:2", "", "0 1 2", 0},
		{"after a position", 3, "2:2 3:3 4:4", "", "4", 0},
		{"after a position, the index of which need not be its entry", 3, "3:103 4:104", "", "4", 0},
		{"oldest is gone", -1, "0:5 1:6", "0:5 1:6", "position trimmed", 1},
		{"oldest is gone, and the client gives nothing of what its ledger begins with", -1, "2:7 3:8", "2:7 3:8", "position trimmed", 1},
		{"the partition begins with markers", -1, "2:2 3:3", "2:2 3:3", "2 3", 1},
		{"the client gives nothing of what the partition begins with", -1, "2:2 3:3", "0:0 1:1 2:2 3:3", "0 1 2 3", 1},
		{"the position's own is gone", 3, "5:5", "5:5", "position trimmed", 1},
		{"the client does not give the position's own", 3, "5:5 6:6", "3:3 4:4 5:5 6:6", "4 5 6", 1},
		{"a marker", -1, "0:0 2:2 3:3", "0:0 2:2 3:3", "0 2 3", 1},
		{"the client keeps one to itself", -1, "0:0 2:2 3:3", "0:0 1:1 2:2 3:3", "0 1 2 3", 1},
		{"the client keeps the last ones to itself", -1, "0:0", "0:0 1:1 2:2", "0 1 2", 1},
		{"nothing is there but what the broker keeps to itself", -1, "0:0", "0:0 3:m", "0", 1},
		{"ledgers are gone", -1, "0:0 7:7", "7:7 8:8", "0 position trimmed", 1},
		{"made anew", -1, "0:0 1:1 7:0", "7:0", "0 1 position trimmed", 1},
		{"no index", -1, "0:-", "", "record without the log's own time or number", 0},
		{"ticks: no index", -1, "0:- 1:- 0:- 2:-", "", "0 1 2", 0},
		{"ticks: after a position", 3, "2:- 3:- 4:- 5:-", "", "4 5", 0},
		{"ticks: the position's own is gone", 3, "5:- 6:-", "5:- 6:-", "position trimmed", 1},
		{"ticks: the client keeps one to itself", -1, "0:- 2:-", "0:- 1:- 2:-", "0 1 2", 1},
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
			if x.after >= 0 {
				after = place{ledger: 1, entry: x.after}.last()
			}
			looks := 0
			c := &checker{l: l, p: p, source: read(t, x.given), after: after}
			c.enter = func(_ context.Context, ledger, entry int64) (entrance, error) {
				looks++
				if stand := c.stand(); stand.IsZero() != (ledger < 0) || !stand.IsZero() && entry != placeAt(stand).entry {
					t.Errorf("%s: looks at %d:%d, want %s", x.what, ledger, entry, stand)
				}
				return store(t, x.stored, max(0, entry)), nil
			}
			c.open = func(_ context.Context, at messages.Position) (pulsar.Reader, error) {
				again := read(t, x.given)
				for len(again.left) > 0 && !at.IsZero() && again.left[0].(*written).entry < placeAt(at).entry {
					again.left = again.left[1:]
				}
				return again, nil
			}
			c.last = func(context.Context) (messages.Position, error) {
				all := read(t, x.given+" "+x.stored).left // 3:m is the broker's own
				return (place{1, all[len(all)-1].(*written).entry, 0}).last(), nil
			}
			defer c.quiet.end()
			var got []string
			for {
				m, err := c.next(ctx)
				if err != nil {
					for _, e := range []error{eventlog.ErrTrimmed, eventlog.ErrUnstamped} {
						if errors.Is(err, e) {
							got = append(got, e.Error())
						}
					}
					break
				}
				got = append(got, fmt.Sprint(m.ID().EntryID()))
			}
			if looked := min(looks, 1); strings.Join(got, " ") != x.want || looked != x.looks {
				t.Errorf("%s: got %q, looked %d times; want %q, %d", x.what, got, looks, x.want, x.looks)
			}
		})
	}
}
