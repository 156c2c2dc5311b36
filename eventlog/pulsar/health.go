package pulsar

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/dashfeed/dashfeed/eventlog"
)

// silence is how long the broker may say nothing before the log calls itself unreachable.
const silence = 4 * time.Second

// health is when the broker was last heard. The client tells nobody that it is cut off, so a
// question is asked every second.
type health struct {
	last atomic.Int64 // ns, wall clock
}

func (h *health) heard(at time.Time) { h.last.Store(at.UnixNano()) }

func (h *health) err(now time.Time) error {
	if quiet := time.Duration(now.UnixNano() - h.last.Load()); quiet > silence {
		return fmt.Errorf("%w: the broker has not answered for %s", eventlog.ErrUnreachable, quiet.Round(time.Second))
	}
	return nil
}

// askHealth asks for the control topic's last record: it takes a connection, a broker that owns
// topics, and its ledgers.
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

// question asks the client what it answers within its own timeout, but for one case: where a
// consumer is closed at that moment, the client loses the question. Then, and when the log is
// closed, the answer is not waited for.
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
		return *new(T), unreachable(errPatience)
	case <-l.life.Done():
		return *new(T), eventlog.ErrClosed
	}
}
