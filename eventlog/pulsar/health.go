package pulsar

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/dashfeed/dashfeed/eventlog"
)

// maxSilence is how long the broker may be silent before the log calls itself unreachable.
const maxSilence = 4 * time.Second

// health holds when the broker last answered. The client reports no lost connection, so the log
// sends a request every second.
type health struct {
	last atomic.Int64 // ns, wall clock
}

func (h *health) heard(at time.Time) { h.last.Store(at.UnixNano()) }

func (h *health) err(now time.Time) error {
	if quiet := time.Duration(now.UnixNano() - h.last.Load()); quiet > maxSilence {
		return fmt.Errorf("%w: the broker has not answered for %s", eventlog.ErrUnreachable, quiet.Round(time.Second))
	}
	return nil
}

// askHealth asks for the control topic's last record: the answer needs a connection, a broker that
// owns topics, and its ledgers.
func (l *Log) askHealth() {
	for eventlog.Pause(l.life, time.Second) {
		r := l.control.reader.Load()
		if r == nil {
			continue
		}
		if _, err := question(l, (*r).GetLastMessageID); err == nil {
			l.health.heard(time.Now())
		}
	}
}

// question calls ask, which the client answers within its own timeout, with one exception: if a
// consumer is closed at that moment, the client loses the question. In that case, and when the log
// is closed, question returns without the answer.
func question[T any](l *Log, ask func() (T, error)) (T, error) {
	type answer struct {
		value T
		err   error
	}
	answered := make(chan answer, 1)
	go func() {
		v, err := ask()
		answered <- answer{v, err}
	}()
	lost := time.NewTimer(2 * l.config.Timeout)
	defer lost.Stop()
	select {
	case a := <-answered:
		return a.value, a.err
	case <-lost.C:
		return *new(T), unreachable(errTimeout)
	case <-l.life.Done():
		return *new(T), eventlog.ErrClosed
	}
}
