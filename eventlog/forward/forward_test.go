package forward_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/eventlog/embedded"
	"github.com/dashfeed/dashfeed/eventlog/forward"
	"github.com/dashfeed/dashfeed/messages"
)

// topic is another system's partition: its messages, and its committed place.
type topic struct {
	messages  []string
	committed int
}

// consumer reads a topic from its committed place on. It ends with the topic, or fails.
type consumer struct {
	*topic
	rng  *rand.Rand
	at   int
	fail bool
}

var errBroken = errors.New("broken")

// message is a message of a topic, with its place.
type message struct {
	place uint64
	text  string
}

func (c *consumer) Next(context.Context) (all []message, err error) {
	switch {
	case c.fail && c.rng.IntN(4) == 0:
		return nil, errBroken
	case c.at == len(c.messages):
		return nil, io.EOF
	}
	n := c.at + c.rng.IntN(min(1000, len(c.messages)-c.at)+1)
	for ; c.at < n; c.at++ {
		all = append(all, message{uint64(c.at) + 1, c.messages[c.at]})
	}
	return all, nil
}

func (c *consumer) Commit(context.Context) error {
	if c.fail && c.rng.IntN(4) == 0 {
		return errBroken
	}
	c.committed = c.at
	return nil
}

// words sends each word of a message to the dashboard of its first letter.
func words(all []eventlog.Entry, m *message) []eventlog.Entry {
	for i, word := range strings.Fields(m.text) {
		all = append(all, eventlog.Entry{
			Kind: messages.KindEvent, Key: messages.Key{Tenant: "default", Dashboard: word[:1]}, Payload: []byte(word),
			Origin: messages.Origin{Partition: 9, Position: messages.Position{Hi: m.place, Lo: uint64(i)}},
		})
	}
	return all
}

// marked is a log that keeps origins in payloads, because the embedded log keeps none: it has one
// home for everything. If a payload has an exclamation mark, marked refuses the whole call, like a
// log that makes one message of a call.
type marked struct{ *embedded.Log }

func (l marked) Append(ctx context.Context, entries []eventlog.Entry) ([]eventlog.Receipt, error) {
	if len(entries) > forward.AtOnce+2 {
		panic(fmt.Sprintf("%d entries in one call", len(entries)))
	}
	entries = slices.Clone(entries)
	for i := range entries {
		at := entries[i].Origin.Position
		entries[i].Payload = fmt.Appendf(nil, "%d %d %s", at.Hi, at.Lo, entries[i].Payload)
		if bytes.ContainsRune(entries[i].Payload, '!') {
			return nil, eventlog.ErrRefused
		}
	}
	return l.Log.Append(ctx, entries)
}

// flaky is a log that fails at times and does not say whether it stored the entries.
type flaky struct {
	eventlog.Log
	rng *rand.Rand
}

func (f *flaky) Append(ctx context.Context, entries []eventlog.Entry) ([]eventlog.Receipt, error) {
	fate := f.rng.IntN(4)
	if fate == 0 {
		return nil, eventlog.ErrUnreachable
	}
	receipts, err := f.Log.Append(ctx, entries)
	if fate == 1 {
		return nil, eventlog.ErrUnreachable
	}
	return receipts, err
}

func openLog(t *testing.T) eventlog.Log {
	t.Helper()
	c := embedded.Default("log")
	c.Partitions, c.Retention.Every, c.Storage.FS = 4, 0, vfs.NewMem()
	log, err := embedded.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := log.Close(); err != nil {
			t.Error(err)
		}
	})
	return marked{log}
}

// folded folds the log as homes do: a forwarded record counts only beyond the last one from its
// origin.
func folded(t *testing.T, log eventlog.Log) (byDashboard map[string][]string, twice int) {
	t.Helper()
	byDashboard = map[string][]string{}
	for p := range log.Partitions() {
		last, err := log.Last(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		r, err := log.Read(p, messages.Position{})
		if err != nil {
			t.Fatal(err)
		}
		var from, at messages.Position
		for at != last {
			records, err := r.Next(t.Context(), 1000)
			if err != nil {
				t.Fatal(err)
			}
			for _, one := range records {
				var origin messages.Position
				var word string
				if _, err := fmt.Sscan(string(one.Payload), &origin.Hi, &origin.Lo, &word); err != nil {
					t.Fatal(err)
				}
				if at = one.Position; !origin.After(from) {
					twice++
					continue
				}
				from = origin
				byDashboard[one.Key.Dashboard] = append(byDashboard[one.Key.Dashboard], word)
			}
		}
		_ = r.Close()
	}
	return byDashboard, twice
}

// Each message counts once and in order, whatever fails between reading, storing and committing,
// though some are stored more than once.
func TestExactlyOnce(t *testing.T) {
	for seed := range uint64(5) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rng := rand.New(rand.NewPCG(seed, 1))
				foreign := &topic{}
				want := map[string][]string{}
				for i := range 6000 {
					var text []string
					for range rng.IntN(3) {
						word := fmt.Sprintf("%c%d", 'a'+rng.IntN(8), i)
						text = append(text, word)
						want[word[:1]] = append(want[word[:1]], word)
					}
					foreign.messages = append(foreign.messages, strings.Join(text, " "))
				}
				log := openLog(t)
				home := forward.Home{
					Log: &flaky{log, rng}, Stored: func(int) {}, Again: func(error, time.Duration) {},
					Refused: func(e eventlog.Entry, err error) { t.Errorf("%s is refused: %v", e.Payload, err) },
				}
				breaks := 0
				for {
					from := &consumer{topic: foreign, rng: rng, at: foreign.committed, fail: true}
					err := forward.Run(t.Context(), from, words, home)
					if err == nil {
						break
					}
					if breaks++; !errors.Is(err, errBroken) {
						t.Fatal(err)
					}
				}
				got, twice := folded(t, log)
				for dashboard, all := range want {
					if !slices.Equal(got[dashboard], all) {
						t.Errorf("dashboard %s has %d words, want %d, in order", dashboard, len(got[dashboard]), len(all))
					}
				}
				if breaks == 0 || twice == 0 {
					t.Errorf("%d breaks and %d records stored twice: nothing was tried", breaks, twice)
				}
			})
		})
	}
}

// What the log will never accept is left out and reported; everything around it is stored.
func TestWhatIsNeverTaken(t *testing.T) {
	for seed := range uint64(8) {
		log := openLog(t)
		foreign := &topic{messages: []string{"a1 b1", "a!", "a3 b3"}}
		refused, stored := 0, 0
		home := forward.Home{
			Log: log, Stored: func(n int) { stored += n }, Again: func(err error, _ time.Duration) { t.Error(err) },
			Refused: func(e eventlog.Entry, err error) {
				if refused++; !errors.Is(err, eventlog.ErrRefused) || e.Origin.Position.Hi != 2 {
					t.Errorf("%v is refused: %v", e.Origin, err)
				}
			},
		}
		if err := forward.Run(t.Context(), &consumer{topic: foreign, rng: rand.New(rand.NewPCG(seed, 1))}, words, home); err != nil {
			t.Fatal(err)
		}
		got, _ := folded(t, log)
		if !slices.Equal(got["a"], []string{"a1", "a3"}) || !slices.Equal(got["b"], []string{"b1", "b3"}) || refused != 1 || stored != 4 {
			t.Errorf("%v, %d refused, %d stored", got, refused, stored)
		}
		if foreign.committed != 3 {
			t.Errorf("committed up to %d of 3", foreign.committed)
		}
	}
}
