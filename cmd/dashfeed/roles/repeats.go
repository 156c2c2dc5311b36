package roles

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// In repeatTime, at most repeatLines warnings and errors with the same message are written, and the
// others are counted: a failure that is retried at once must not fill a disk. At most
// repeatMessages messages are told apart.
const (
	repeatTime     = time.Minute
	repeatLines    = 10
	repeatMessages = 200
)

// repeats is a log handler that limits repeated messages.
type repeats struct {
	slog.Handler
	told *recentMessages
}

// recentMessages holds the recent messages of a handler and of the handlers derived from it.
type recentMessages struct {
	mu       sync.Mutex
	messages map[string]*repeated
}

// repeated counts one message.
type repeated struct {
	since       time.Time
	lines, rest int // lines written since then, and lines only counted
}

func newRepeats(h slog.Handler) *repeats {
	return &repeats{h, &recentMessages{messages: map[string]*repeated{}}}
}

// Handle writes the record, unless its message came too often.
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

// tell reports whether to write a message, and how many lines were left out in the time before.
func (t *recentMessages) tell(message string, now time.Time) (rest int, ok bool) {
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

// WithAttrs and WithGroup return handlers that count together with this one.
func (r *repeats) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &repeats{r.Handler.WithAttrs(attrs), r.told}
}

func (r *repeats) WithGroup(name string) slog.Handler {
	return &repeats{r.Handler.WithGroup(name), r.told}
}
