package pulsar

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/apache/pulsar-client-go/pulsar/backoff"
)

// name is what the broker shows of a reader.
func (c Config) name() string { return "dashfeed/" + c.Cluster + "/" + c.Node }

// producerName is one that no other producer has, also of a process that died and is not yet forgotten.
func (c Config) producerName() string { return fmt.Sprintf("%s/%08x", c.name(), rand.Uint32()) }

// hushed says what the client says at debug level: its errors come back to us as well.
type hushed struct{ slog.Handler }

func (h hushed) Enabled(ctx context.Context, _ slog.Level) bool {
	return h.Handler.Enabled(ctx, slog.LevelDebug)
}

func (h hushed) Handle(ctx context.Context, r slog.Record) error {
	r.Level = slog.LevelDebug
	return h.Handler.Handle(ctx, r)
}

func (h hushed) WithAttrs(attrs []slog.Attr) slog.Handler { return hushed{h.Handler.WithAttrs(attrs)} }

func (h hushed) WithGroup(name string) slog.Handler { return hushed{h.Handler.WithGroup(name)} }

// backoffPolicy tries again after 50 ms, and at least once a second: the client's own grows to a minute.
type backoffPolicy struct{ wait time.Duration }

const (
	leastWait = 50 * time.Millisecond
	mostWait  = time.Second
)

func newBackoff() backoff.Policy { return &backoffPolicy{} }

func (b *backoffPolicy) Next() time.Duration {
	b.wait = min(max(2*b.wait, leastWait), mostWait)
	return b.wait - rand.N(b.wait/4)
}

func (b *backoffPolicy) IsMaxBackoffReached() bool { return b.wait >= mostWait }
func (b *backoffPolicy) Reset()                    { b.wait = 0 }
