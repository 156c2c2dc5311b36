package actors

import (
	"strings"
	"testing"

	"github.com/dashfeed/dashfeed/actors/crashes"
	"github.com/dashfeed/dashfeed/fold"
	"github.com/dashfeed/dashfeed/messages"
)

func pos(lo uint64) messages.Position { return messages.Position{Lo: lo} }

// Each line says what a reader at position 5 meets, and the result: the holes of the state, or a
// part of the error.
func TestLossOfAReader(t *testing.T) {
	skipped := loss{state: lossSkipped, span: crashes.Span{After: pos(5), Through: pos(8)}}
	later := loss{state: lossSkipped, span: crashes.Span{After: pos(9), Through: pos(12)}}
	known := []fold.Hole{{From: pos(5), To: pos(8)}}
	older := []fold.Hole{{From: pos(1), To: pos(3)}}
	for name, c := range map[string]struct {
		loss  loss
		meets string // open, trimmed, reached, next: in this order
		first uint64
		holes []fold.Hole
		want  string
		left  lossState // after the first batch was sent to the shard
	}{
		"nothing is missing":                   {loss{}, "open", 6, older, "1-3", lossNone},
		"nothing is missing, though accepted":  {loss{state: lossAccepted}, "open", 6, older, "1-3", lossNone},
		"accepted":                             {loss{state: lossAccepted}, "open trimmed", 8, older, "1-3 5-8", lossNone},
		"accepted, not there once more":        {loss{state: lossAccepted}, "open trimmed open", 6, older, "1-3", lossNone},
		"a hole of before":                     {loss{}, "open", 8, known, "5-8", lossNone},
		"a hole of before, and more is gone":   {loss{}, "open", 9, known, "!position trimmed: behind the hole that was accepted the record at 8 was kept, now the oldest is at 9", lossNone},
		"that is accepted too":                 {loss{state: lossAccepted}, "open", 9, known, "5-8 5-9", lossNone},
		"set back":                             {loss{state: lossRewound}, "open", 6, older, "1-3 5-6", lossNone},
		"set back, before a hole":              {loss{state: lossRewound}, "open", 8, known, "5-8 5-8", lossNone},
		"set back, and trimmed":                {loss{state: lossRewound}, "open trimmed open", 8, nil, "5-8", lossNone},
		"skipped at once":                      {skipped, "open reached", 9, older, "1-3 5-9", lossNone},
		"skipped, the log was opened again":    {skipped, "open reached open", 9, older, "1-3 5-9", lossNone},
		"skipped later":                        {later, "open", 6, older, "1-3", lossSkipped},
		"skipped later, and the next is there": {later, "open next", 13, older, "1-3 5-13", lossNone},
		"after a reload":                       {loss{state: lossReloaded, at: pos(5)}, "open", 6, nil, "", lossNone},
	} {
		l := c.loss
		for _, what := range strings.Fields(c.meets) {
			switch what {
			case "open":
				l.reopen()
			case "trimmed":
				if !l.find() {
					t.Errorf("%s: the loss is not accepted", name)
				}
			case "reached", "next":
				if !l.reach(pos(5), what == "next") {
					t.Errorf("%s: the span is not reached", name)
				}
			}
		}
		holes, err := l.endAt(pos(c.first), pos(5), c.holes)
		got := ""
		for _, h := range holes {
			got += " " + h.From.String() + "-" + h.To.String()
		}
		if err != nil {
			got = " !" + err.Error()
		}
		if l.pass(); strings.TrimPrefix(got, " ") != c.want || l.state != c.left {
			t.Errorf("%s: got %q, want %q; state %d afterwards, want %d", name, got, c.want, l.state, c.left)
		}
	}
}

// Each line is an event of an assignment. It says whether the reader's loss at that position loads
// the shard again, and with what the next shard is loaded.
func TestLossOfAnAssignment(t *testing.T) {
	var l loss
	for i, step := range []struct {
		at    uint64 // position of the loss; 0: an operator decides
		state lossState
		again bool
		next  lossState
	}{
		{5, 0, true, lossNone},  // the newest checkpoint may lie beyond it
		{5, 0, false, lossNone}, // it does not
		{7, 0, true, lossNone},  // it did
		{0, lossAccepted, true, lossAccepted},
		{0, lossNone, true, lossNone}, // an acceptance applies to one load
		{7, 0, true, lossNone},
		{7, 0, false, lossNone},
		{0, lossReloaded, true, lossNone}, // a retry
		{7, 0, true, lossNone},
	} {
		again := true
		switch {
		case step.at > 0:
			again = l.reload(pos(step.at))
		case step.state == lossReloaded:
			l.retry()
		case step.state != lossNone:
			l = loss{state: step.state}
		}
		if next := l.take(); again != step.again || next.state != step.next {
			t.Errorf("step %d: loaded again %t with %d, want %t with %d", i, again, next.state, step.again, step.next)
		}
	}
	l = loss{state: lossRewound}
	if l.retry(); l.state != lossRewound {
		t.Error("a retry takes back what was accepted")
	}
}
