package pulsar

import (
	"context"
	"errors"
	"fmt"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/eventlog/pulsar/broker"
	"github.com/dashfeed/dashfeed/eventlog/pulsar/entries"
)

// enter begins to read entries at that entry. It retries until ctx ends, because reading may fail
// for some 100 ms after a broker's start.
func (l *Log) enter(ctx context.Context, p *partition, ledger, entry int64) (entrance, error) {
	for {
		r, err := l.enterOnce(ctx, func(ctx context.Context, o entries.Options) (*entries.Reader, error) {
			return entries.Open(ctx, o, p.topic, ledger, entry)
		})
		if err == nil {
			return r, nil
		}
		if err = l.enterError(p, err); !errors.Is(err, eventlog.ErrUnreachable) || !eventlog.Pause(ctx, 2*broker.LeastWait) {
			return nil, err
		}
		l.logger.Debug("a partition can't be read, trying again", "topic", p.topic, "error", err)
	}
}

func (l *Log) enterOnce(ctx context.Context, open func(context.Context, entries.Options) (*entries.Reader, error)) (*entries.Reader, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, l.config.Timeout, errTimeout)
	defer cancel()
	return open(ctx, entries.Options{URL: l.config.BrokerURL, Security: l.config.Security})
}

// enterError turns the error of an open reader into one of the log's kinds.
func (l *Log) enterError(p *partition, err error) error {
	const notFound, notAuthorized, notAuthenticated = 11, 4, 3
	var said *entries.BrokerError
	switch {
	case errors.As(err, &said) && said.Code == notFound:
		return l.explain("open "+p.topic, fmt.Errorf("%w: %w", errMissing, err))
	case errors.As(err, &said) && (said.Code == notAuthorized || said.Code == notAuthenticated):
		return l.explain("open "+p.topic, err)
	}
	return l.explain("open "+p.topic, unreachable(err))
}
