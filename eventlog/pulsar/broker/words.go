package broker

import (
	"context"
	"log/slog"
	"sync/atomic"
)

// Words are the client's log: all of it goes to debug, since its errors come back to us as well,
// and the newest complaint is kept, for it often says more than the error.
type Words struct {
	slog.Handler
	newest *atomic.Pointer[string]
}

// NewWords lets a client speak to the logger.
func NewWords(l *slog.Logger) *Words {
	return &Words{l.Handler(), &atomic.Pointer[string]{}}
}

// Enabled takes complaints however much the logger below wants.
func (h *Words) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn || h.Handler.Enabled(ctx, slog.LevelDebug)
}

func (h *Words) Handle(ctx context.Context, r slog.Record) error {
	if r.Level >= slog.LevelWarn {
		text := r.Message
		r.Attrs(func(a slog.Attr) bool {
			if a.Key == "error" {
				text += ": " + a.Value.String()
			}
			return true
		})
		h.newest.Store(&text)
	}
	if !h.Handler.Enabled(ctx, slog.LevelDebug) {
		return nil
	}
	r.Level = slog.LevelDebug
	return h.Handler.Handle(ctx, r)
}

func (h *Words) WithAttrs(attrs []slog.Attr) slog.Handler {
	for _, a := range attrs {
		if a.Key == "error" {
			text := a.Value.String()
			h.newest.Store(&text)
		}
	}
	return &Words{h.Handler.WithAttrs(attrs), h.newest}
}

func (h *Words) WithGroup(name string) slog.Handler {
	return &Words{h.Handler.WithGroup(name), h.newest}
}

// String is the newest complaint.
func (h *Words) String() string {
	if s := h.newest.Load(); s != nil {
		return *s
	}
	return "nothing"
}
