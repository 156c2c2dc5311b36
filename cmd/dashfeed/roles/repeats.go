package roles

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// Of warnings and errors of one message, repeatLines are written in repeatTime, and the others
// counted: what fails and is tried again at once must not fill a disk. At most repeatMessages are
// told apart.
const (
	repeatTime     = time.Minute
	repeatLines    = 10
	repeatMessages = 200
)

// repeats is a log's handler that bounds what comes again and again.
type repeats struct {
	slog.Handler
	told *sayings
}

// sayings are what was told lately, of a handler and of those that were made of it.
type sayings struct {
	mu       sync.Mutex
	messages map[string]*repeated
}

// repeated is one message.
type repeated struct {
	since       time.Time
	lines, rest int // written since then, and only counted
}

func newRepeats(h slog.Handler) *repeats {
	return &repeats{h, &sayings{messages: map[string]*repeated{}}}
}

// Handle writes the record, unless there were enough of them.
func (r *repeats) Handle(ctx context.Context, record slog.Record) error {
	if record.Level < slog.LevelWarn {
		return r.Handler.Handle(ctx, record)
	}
	rest, ok := r.told.tell(record.Message, record.Time)
	if !ok {
		return nil
	}
	if rest > 0 {
		record = record.Clone()
		record.Add("repeated", rest)
	}
	return r.Handler.Handle(ctx, record)
}

// tell reports whether a message is written, and how many were not in the time before.
func (t *sayings) tell(message string, now time.Time) (rest int, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	m := t.messages[message]
	if m == nil {
		if len(t.messages) >= repeatMessages {
			clear(t.messages)
		}
		m = &repeated{since: now}
		t.messages[message] = m
	}
	if now.Sub(m.since) >= repeatTime {
		rest = m.rest
		*m = repeated{since: now}
	}
	if m.lines >= repeatLines {
		m.rest++
		return 0, false
	}
	m.lines++
	return rest, true
}

// WithAttrs and WithGroup count with the handler that they are made of.
func (r *repeats) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &repeats{r.Handler.WithAttrs(attrs), r.told}
}

func (r *repeats) WithGroup(name string) slog.Handler {
	return &repeats{r.Handler.WithGroup(name), r.told}
}
