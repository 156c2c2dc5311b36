package broker

import (
	"context"
	"log/slog"
	"sync/atomic"
)

// Words is the handler of the client's log. It logs everything at debug level, since the client
// returns its errors as well, and keeps the newest warning, which often says more than the error.
type Words struct {
	slog.Handler
	newest *atomic.Pointer[string]
}

// NewWords returns a handler that logs to the logger.
func NewWords(l *slog.Logger) *Words {
	return &Words{l.Handler(), &atomic.Pointer[string]{}}
}

// Enabled accepts warnings whatever the logger's level is.
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

// String returns the newest warning.
func (h *Words) String() string {
	if s := h.newest.Load(); s != nil {
		return *s
	}
	return "nothing"
}
